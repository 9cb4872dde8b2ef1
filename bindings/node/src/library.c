// For dladdr.
#define _GNU_SOURCE
#include "library.h"

#include <stdio.h>
#include <stdlib.h>

#include "lock.h"

/* The libraries that were loaded because TOKENWELL_LIBRARY names them. They are all that environments share. */
static struct library *loaded;
static lock loaded_lock = LOCK_INITIALIZER;

/* ---- the differences between operating systems */

#ifdef _WIN32
static void *load(const char *path, char problem[PROBLEM_SIZE])
{
    wchar_t wide[MAX_PATH];
    if (!MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, MAX_PATH)) {
        snprintf(problem, PROBLEM_SIZE, "the path is too long");
        return NULL;
    }
    HMODULE file = LoadLibraryExW(wide, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (!file) snprintf(problem, PROBLEM_SIZE, "cannot be loaded: Windows error %lu", GetLastError());
    return file;
}

static void *symbol(void *file, const char *name) { return (void *)GetProcAddress(file, name); }

static void keep_addon_loaded(void)
{
    HMODULE addon;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (const wchar_t *)&loaded, &addon);
}
#else
#include <dlfcn.h>

static void *load(const char *path, char problem[PROBLEM_SIZE])
{
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!file) snprintf(problem, PROBLEM_SIZE, "%s", dlerror());
    return file;
}

static void *symbol(void *file, const char *name) { return dlsym(file, name); }

/*
 * Node unloads the addon of a worker that ends, while threads of the library may be in a callback. On Linux the addon is
 * also linked with -z nodelete, which macOS does not have.
 */
static void keep_addon_loaded(void)
{
    Dl_info addon;
    // A reference that is never closed.
    if (dladdr(&loaded, &addon)) dlopen(addon.dli_fname, RTLD_NOW | RTLD_NOLOAD);
}
#endif

/* ---- the table */

static void *required(void *file, const char *name, char problem[PROBLEM_SIZE])
{
    void *found = symbol(file, name);
    if (!found) snprintf(problem, PROBLEM_SIZE, "is not a compatible tokenwell library: it does not export %s", name);
    return found;
}

static struct library *table_of(void *file, char problem[PROBLEM_SIZE])
{
    __typeof__(tokenwell_abi_version) *abi_version = required(file, "tokenwell_abi_version", problem);
    if (!abi_version) return NULL;
    if (abi_version() != TOKENWELL_ABI_VERSION) {
        snprintf(problem, PROBLEM_SIZE, "has ABI version %u, but this package requires %d", (unsigned)abi_version(), TOKENWELL_ABI_VERSION);
        return NULL;
    }
    struct library *table = calloc(1, sizeof *table);
    if (!table) abort();
#define FILL(name) \
    table->name = required(file, "tokenwell_" #name, problem); \
    if (!table->name) { \
        free(table); \
        return NULL; \
    }
    LIBRARY_FUNCTIONS(FILL)
#undef FILL
    table->file = file;
    return table;
}

static const struct library linked = {
#define FILL(name) .name = tokenwell_##name,
    LIBRARY_FUNCTIONS(FILL)
#undef FILL
};

const struct library *library_linked(void)
{
    keep_addon_loaded();
    return &linked;
}

const struct library *library_open(const char *path, char problem[PROBLEM_SIZE])
{
    lock_acquire(&loaded_lock);
    void *file = load(path, problem);
    struct library *library = file ? loaded : NULL;
    while (library && library->file != file) library = library->next;
    if (file && !library) {
        library = table_of(file, problem);
        if (library) {
            if (!loaded) keep_addon_loaded();
            library->next = loaded;
            loaded = library;
        }
    }
    lock_release(&loaded_lock);
    return library;
}

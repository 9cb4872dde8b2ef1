/* For Node: the bytes that the allocator of the C library has given out, which the size of a process does not tell: it keeps memory that was freed. */
#include <malloc.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

/* bytesInUse(): of the whole process, so also those of the library. At most a few kB of each thread's cache of free blocks are counted as in use. */
static napi_value bytes_in_use(napi_env env, napi_callback_info info)
{
    (void)info;
    struct mallinfo2 heap = mallinfo2();
    napi_value bytes = NULL;
    napi_create_double(env, (double)(heap.uordblks + heap.hblkhd), &bytes);
    return bytes;
}

/* lose(bytes): a planted leak. */
static napi_value lose(napi_env env, napi_callback_info info)
{
    size_t count = 1;
    napi_value argument;
    uint32_t bytes = 0;
    napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
    napi_get_value_uint32(env, argument, &bytes);
    void *volatile lost = malloc(bytes);
    if (lost) memset(lost, 1, bytes);
    return NULL;
}

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
    const napi_property_descriptor list[] = {
        {.utf8name = "bytesInUse", .method = bytes_in_use, .attributes = napi_enumerable},
        {.utf8name = "lose", .method = lose, .attributes = napi_enumerable},
    };
    napi_define_properties(env, exports, sizeof list / sizeof *list, list);
    return exports;
}

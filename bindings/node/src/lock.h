/* A lock for the few values that threads of the library share with a thread of Node. */
#ifndef TOKENWELL_NODE_LOCK_H
#define TOKENWELL_NODE_LOCK_H

#ifdef _WIN32
#include <windows.h>

typedef SRWLOCK lock;
#define LOCK_INITIALIZER SRWLOCK_INIT

static inline void lock_acquire(lock *it) { AcquireSRWLockExclusive(it); }
static inline void lock_release(lock *it) { ReleaseSRWLockExclusive(it); }
#else
#include <pthread.h>

typedef pthread_mutex_t lock;
#define LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER

static inline void lock_acquire(lock *it) { pthread_mutex_lock(it); }
static inline void lock_release(lock *it) { pthread_mutex_unlock(it); }
#endif

#endif

// C11 threads on top of POSIX threads, preloaded in the thread sanitizer's build. The sanitizer
// doesn't know glibc's C11 functions, with which Debian's librdkafka is built: threads that they
// create crash it, and it takes what their mutexes guard for races.
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

static int result(int error) {
  return error == 0 ? thrd_success : thrd_error;
}

struct start {
  thrd_start_t function;
  void* argument;
};

static void* run(void* memory) {
  struct start start = *(struct start*)memory;
  free(memory);
  return (void*)(long)start.function(start.argument);
}

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  struct start* start = malloc(sizeof(*start));
  if (start == NULL) return thrd_nomem;
  *start = (struct start){function, argument};
  int error = pthread_create(thread, NULL, run, start);
  if (error != 0) free(start);
  return result(error);
}

int thrd_join(thrd_t thread, int* exit_code) {
  void* value = NULL;
  int error = pthread_join(thread, &value);
  if (exit_code != NULL) *exit_code = (int)(long)value;
  return result(error);
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if (type & mtx_recursive) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  return result(pthread_mutex_init((pthread_mutex_t*)mutex, &attributes));
}

void mtx_destroy(mtx_t* mutex) {
  pthread_mutex_destroy((pthread_mutex_t*)mutex);
}
int mtx_lock(mtx_t* mutex) {
  return result(pthread_mutex_lock((pthread_mutex_t*)mutex));
}
int mtx_unlock(mtx_t* mutex) {
  return result(pthread_mutex_unlock((pthread_mutex_t*)mutex));
}

int cnd_init(cnd_t* condition) {
  return result(pthread_cond_init((pthread_cond_t*)condition, NULL));
}
void cnd_destroy(cnd_t* condition) {
  pthread_cond_destroy((pthread_cond_t*)condition);
}
int cnd_signal(cnd_t* condition) {
  return result(pthread_cond_signal((pthread_cond_t*)condition));
}
int cnd_broadcast(cnd_t* condition) {
  return result(pthread_cond_broadcast((pthread_cond_t*)condition));
}
int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return result(pthread_cond_wait((pthread_cond_t*)condition, (pthread_mutex_t*)mutex));
}
int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const struct timespec* deadline) {
  int error = pthread_cond_timedwait((pthread_cond_t*)condition, (pthread_mutex_t*)mutex, deadline);
  return error == ETIMEDOUT ? thrd_timedout : result(error);
}

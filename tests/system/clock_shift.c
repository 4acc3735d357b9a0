/*
 * For tests, by LD_PRELOAD: shifts the time of day of every program by what the file holds that
 * SAMSARA_TEST_CLOCK names, a native int64_t of seconds. The file stays mapped: a change is a clock
 * that jumps, for programs that run and in whatever sandbox they are.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*clock_real)(clockid_t id, struct timespec *ts);
static const volatile int64_t *clock_shift;

__attribute__((constructor)) static void clock_shift_init(void)
{
	const char *path = getenv("SAMSARA_TEST_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	clock_real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (fd < 0) {
		return;
	}
	map = mmap(NULL, sizeof(*clock_shift), PROT_READ, MAP_SHARED, fd, 0);
	clock_shift = map != MAP_FAILED ? map : NULL;
	(void)close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r;

	if (clock_real == NULL) {
		clock_shift_init();
	}
	r = clock_real(id, ts);
	if (r == 0 && id == CLOCK_REALTIME && clock_shift != NULL) {
		ts->tv_sec += *clock_shift;
	}
	return r;
}

time_t time(time_t *ret_time)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret_time != NULL) {
		*ret_time = ts.tv_sec;
	}
	return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts = {0};

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return 0;
}

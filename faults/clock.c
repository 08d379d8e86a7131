/* The time of day of processes that have this library preloaded: as many seconds ahead as the file
 * FAULTS_CLOCK says, a signed integer of 64 bits, from the moment that it is written there. The
 * monotonic clock and all sleeping are left alone, which libfaketime does not do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t as_it_is;
static const volatile int64_t *ahead = &as_it_is;

__attribute__((constructor)) static void begin(void)
{
	const char *name = getenv("FAULTS_CLOCK");
	int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return;
	void *found = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
	if (found != MAP_FAILED)
		ahead = found;
	close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int failed = (int)syscall(SYS_clock_gettime, clock, now);
	if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *ahead;
	return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
	(void)zone;
	struct timespec moment;
	if (clock_gettime(CLOCK_REALTIME, &moment))
		return -1;
	now->tv_sec = moment.tv_sec;
	now->tv_usec = moment.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *now)
{
	struct timespec moment = {0};
	clock_gettime(CLOCK_REALTIME, &moment);
	if (now)
		*now = moment.tv_sec;
	return moment.tv_sec;
}

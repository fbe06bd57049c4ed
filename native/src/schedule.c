/* A thread begins with the CPUs, the urgency and the signal mask of its maker: so the maker takes
 * them on for that moment. What may be had can so be tried before anything runs. */
#include "schedule.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#define RAISED_NICE (-11)
#define FIFO_LEVEL  1 /* below every other real-time thread, the kernel's among them */

/* What the calling thread is to be again; all of this a thread may know of itself. */
struct before {
	bool pinned; /* and so to be let go */
	cpu_set_t cpus;
	sigset_t signals;
	int policy;
	struct sched_param level;
	int nice;
};

uint32_t schedule_cpus(void)
{
	cpu_set_t cpus;
	if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
		return 1;
	return (uint32_t)CPU_COUNT(&cpus);
}

static enum rtpfork_priority raise_priority(enum rtpfork_priority wanted)
{
	static const struct sched_param low = {.sched_priority = FIFO_LEVEL};
	if (wanted == RTPFORK_PRIORITY_REALTIME && sched_setscheduler(0, SCHED_FIFO, &low) == 0)
		return RTPFORK_PRIORITY_REALTIME;
	if (wanted == RTPFORK_PRIORITY_NORMAL)
		return RTPFORK_PRIORITY_NORMAL;
	if (getpriority(PRIO_PROCESS, 0) > RAISED_NICE &&
	    setpriority(PRIO_PROCESS, 0, RAISED_NICE) != 0)
		return RTPFORK_PRIORITY_NORMAL;
	return RTPFORK_PRIORITY_RAISED;
}

static int pin(const uint16_t *cpu, struct before *before)
{
	cpu_set_t cpus;
	if (!cpu)
		return 0;
	if (*cpu >= CPU_SETSIZE)
		return EINVAL;
	CPU_ZERO(&cpus);
	CPU_SET(*cpu, &cpus);
	if (sched_getaffinity(0, sizeof before->cpus, &before->cpus) != 0 ||
	    sched_setaffinity(0, sizeof cpus, &cpus) != 0)
		return errno;
	before->pinned = true;
	return 0;
}

static void remember(struct before *before)
{
	before->policy = sched_getscheduler(0);
	sched_getparam(0, &before->level);
	before->nice = getpriority(PRIO_PROCESS, 0);
	before->pinned = false;
}

static void restore(const struct before *before)
{
	sched_setscheduler(0, before->policy, &before->level);
	setpriority(PRIO_PROCESS, 0, before->nice);
	if (before->pinned)
		sched_setaffinity(0, sizeof before->cpus, &before->cpus);
	pthread_sigmask(SIG_SETMASK, &before->signals, NULL);
}

int schedule_start(pthread_t *thread, void *(*run)(void *), void *argument, const uint16_t *cpu,
		   enum rtpfork_priority wanted, enum rtpfork_priority *got)
{
	sigset_t all;
	struct before before;
	remember(&before);
	/* The signals of the process are for its other threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before.signals);
	int failed = pin(cpu, &before);
	*got = raise_priority(wanted);
	if (!failed)
		failed = pthread_create(thread, NULL, run, argument);
	restore(&before);
	return failed;
}

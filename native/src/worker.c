/* The turn of a packet thread: receive a batch, relay, fork, send; then time, then commands. */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "schedule.h"

#define TICK_MS		50
#define STILL_NS	250000000U /* between two turns: the thread did not run */
#define CATCH_UP_NS	200000000U /* in which every port that has something has had its turn */
#define COMMANDS_A_TURN 16
#define COMMANDS_NS	2000000U /* after so long no packet waits for more commands */
#define NS_PER_MS	1000000U

static void notify(void *owner, const struct rtpfork_notice *notice)
{
	struct worker *worker = owner;
	if (!rtpfork_ring_push(worker->notices, notice))
		atomic_fetch_add_explicit(&worker->notices_lost, 1, memory_order_relaxed);
	worker->said = true;
}

static void hand_over(void *owner, const struct rtpfork_handed *handed)
{
	struct worker *worker = owner;
	if (!rtpfork_ring_push(worker->handed, handed))
		atomic_fetch_add_explicit(&worker->notices_lost, 1, memory_order_relaxed);
	worker->said = true;
}

static void count(_Atomic uint64_t *counter, uint64_t more)
{
	/* One writer: no need of a locked instruction. */
	uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, before + more, memory_order_relaxed);
}

void worker_flush(struct worker *worker, uint64_t now_ns)
{
	size_t outs = 0;
	struct rtpfork_out *out = rtpfork_core_outs(worker->core, &outs);
	if (outs == 0)
		return;
	worker->ops->send(worker->io, out, outs);
	count(&worker->packets_sent, outs);
	rtpfork_core_settle(worker->core, now_ns);
}

static void carry_packets(struct worker *worker, size_t received, uint64_t now_ns)
{
	uint64_t by_sockets = 0;
	uint64_t relayed = 0;
	rtpfork_core_expect(worker->core, worker->ins, received);
	for (size_t i = 0; i < received; i++) {
		struct rtpfork_in *in = &worker->ins[i];
		if (in->relayed) {
			relayed += in->missed + (in->bytes != 0);
			/* After a pause it counts as not long ago, like what a socket has kept. */
			if (in->now_ns + STILL_NS < now_ns)
				in->now_ns = now_ns - STILL_NS;
		} else {
			in->now_ns = now_ns;
			by_sockets++;
		}
		rtpfork_core_receive(worker->core, in);
	}
	count(&worker->packets_received, by_sockets + relayed);
	count(&worker->packets_sent, relayed);
	/* What the parties wait for is not held up by copying and encrypting for an SRS. */
	worker_flush(worker, now_ns);
	bool more = true;
	while (more) {
		more = rtpfork_core_fork(worker->core);
		worker_flush(worker, now_ns);
	}
}

/* Account all that the I/O has relayed up to now. */
static void hear_out(struct worker *worker, uint64_t now_ns)
{
	size_t told = 0;
	while (worker->ops->told && (told = worker->ops->told(worker->io, worker->ins)) != 0)
		carry_packets(worker, told, now_ns);
}

void worker_withdraw(struct worker *worker, uint32_t slot, uint64_t now_ns)
{
	if (worker->ops->flow)
		worker->ops->flow(worker->io, slot, NULL);
	hear_out(worker, now_ns);
}

void worker_follow(struct worker *worker, uint64_t now_ns)
{
	uint32_t slot = 0;
	struct rtpfork_flow flow;
	while (rtpfork_core_changed(worker->core, &slot)) {
		if (!rtpfork_core_flow(worker->core, slot, &flow))
			worker_withdraw(worker, slot, now_ns);
		else if (worker->ops->flow)
			worker->ops->flow(worker->io, slot, &flow);
	}
}

/* Who did not listen calls nobody silent: first what waits is heard. Also when it begins, perhaps
 * after a process that was killed. */
static void note_pause(struct worker *worker, uint64_t now_ns)
{
	bool stood_still = now_ns - worker->woke_ns > STILL_NS;
	if (stood_still && !worker->stood_still)
		worker->next_tick_ns = now_ns + CATCH_UP_NS;
	worker->stood_still = stood_still;
	worker->woke_ns = now_ns;
}

static void keep_time(struct worker *worker, uint64_t now_ns)
{
	note_pause(worker, now_ns);
	if (now_ns < worker->next_tick_ns)
		return;
	worker->next_tick_ns = now_ns + (uint64_t)TICK_MS * NS_PER_MS;
	bool more = true;
	while (more) {
		more = rtpfork_core_tick(worker->core, now_ns);
		worker_flush(worker, now_ns);
	}
}

static void choose_way(struct worker *worker, uint64_t now_ns)
{
	enum rtpfork_io_kind most = atomic_load_explicit(&worker->most, memory_order_acquire);
	if (most == worker->uses)
		return;
	worker->uses = most;
	if (worker->ops->use)
		worker->ops->use(worker->io, most);
	/* What was relayed until now is not to be found after what comes by sockets from now on. */
	hear_out(worker, now_ns);
}

/* A few, so that no packet waits for a crowd of calls to be set up. True: there may be more. */
static bool take_commands(struct worker *worker, uint64_t now_ns)
{
	/* What came before a command is not to be found after it. */
	hear_out(worker, now_ns);
	uint64_t begun_ns = clock_now_ns();
	for (int i = 0; i < COMMANDS_A_TURN; i++) {
		struct rtpfork_command *command = NULL;
		bool popped = rtpfork_ring_pop(worker->commands, &command);
		choose_way(worker, now_ns);
		if (!popped)
			return false;
		worker_run(worker, command, now_ns);
		worker_flush(worker, now_ns);
		worker_follow(worker, now_ns);
		rtpfork_ring_push(worker->answers, &command);
		worker->said = true;
		if (clock_now_ns() - begun_ns > COMMANDS_NS)
			break;
	}
	return true;
}

static void speak(struct worker *worker, uint64_t now_ns)
{
	bool more = true;
	while (more) {
		more = rtpfork_core_speak(worker->core, now_ns);
		worker_flush(worker, now_ns);
	}
}

/* How long to wait for packets: until the next tick, or something is to be said. */
static int patience_ms(const struct worker *worker, uint64_t now_ns)
{
	uint64_t at_ns = rtpfork_core_speaks_at(worker->core);
	if (at_ns == UINT64_MAX)
		return TICK_MS;
	uint64_t left_ms = at_ns <= now_ns ? 0 : (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return left_ms < TICK_MS ? (int)left_ms : TICK_MS;
}

static void *turn(void *argument)
{
	struct worker *worker = argument;
	static const uint64_t one = 1;
	uint64_t ended_ns = clock_now_ns();
	bool more = false;
	worker_follow(worker, ended_ns);
	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		struct rtpfork_wakeup wakeup;
		int timeout_ms = more ? 0 : patience_ms(worker, ended_ns);
		size_t received = worker->ops->wait(worker->io, timeout_ms, worker->ins, &wakeup);
		uint64_t now_ns = wakeup.at_ns;
		if (received != 0)
			carry_packets(worker, received, now_ns);
		worker_follow(worker, now_ns);
		speak(worker, now_ns);
		keep_time(worker, now_ns);
		if (wakeup.told || more)
			more = take_commands(worker, now_ns);
		if (worker->said && write(worker->said_fd, &one, sizeof one) == sizeof one)
			worker->said = false;
		ended_ns = clock_now_ns();
		count(&worker->busy_ns, ended_ns - now_ns);
	}
	return NULL;
}

static int make_core(struct worker *worker, uint32_t index,
		     const struct rtpfork_engine_options *options, const struct memory *memory,
		     bool resumed)
{
	struct rtpfork_core_options core = {
		.thread = index,
		.max_ports = options->max_ports_per_thread,
		.max_readers = options->max_readers_per_thread,
		.max_outs = WORKER_OUTS,
		.silence_ns = (uint64_t)options->silence_ms * NS_PER_MS,
		.unix_offset_ns = *memory_unix_offset_ns(memory),
		.memory = memory_core(memory, index),
		.sounds = memory->sounds,
		.notify = notify,
		.hand_over = hand_over,
		.owner = worker,
	};
	if (getrandom(&core.random_seed, sizeof core.random_seed, 0) < 0)
		return RTPFORK_ESYSTEM;
	return resumed ? rtpfork_core_resume(&core, options->log_packets,
					     (size_t)options->log_packets * LOG_BYTES_PER_PACKET,
					     &worker->core)
		       : rtpfork_core_new(&core, &worker->core);
}

int worker_start(struct worker *worker, uint32_t index,
		 const struct rtpfork_engine_options *options, enum rtpfork_priority *priority)
{
	const uint16_t *cpu =
		options->cpu_count == 0 ? NULL : &options->cpus[index % options->cpu_count];
	errno = schedule_start(&worker->thread, turn, worker, cpu, options->priority, priority);
	if (errno != 0)
		return RTPFORK_ESYSTEM;
	worker->running = true;
	pthread_setname_np(worker->thread, "rtpfork");
	return 0;
}

static const struct rtpfork_io_ops *ops_of(enum rtpfork_io_kind kind)
{
	switch (kind) {
	case RTPFORK_IO_PACKET:
		return &rtpfork_io_packet;
	case RTPFORK_IO_BPF:
		return &rtpfork_io_bpf;
	case RTPFORK_IO_SOCKETS:
		break;
	}
	return &rtpfork_io_epoll;
}

int worker_make(struct worker *worker, uint32_t index, const struct rtpfork_engine_options *options,
		const struct memory *memory, bool resumed, int said_fd)
{
	worker->waiting_end = &worker->waiting;
	worker->said_fd = said_fd;
	worker->max_ports = options->max_ports_per_thread;
	worker->ops = ops_of(options->io);
	worker->uses = options->io;
	atomic_init(&worker->most, options->io);
	worker->commands = rtpfork_ring_new(WORKER_COMMANDS, sizeof(struct rtpfork_command *));
	worker->answers = rtpfork_ring_new(WORKER_COMMANDS, sizeof(struct rtpfork_command *));
	worker->notices = rtpfork_ring_new(WORKER_NOTICES, sizeof(struct rtpfork_notice));
	worker->handed = rtpfork_ring_new(WORKER_HANDED, sizeof(struct rtpfork_handed));
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!worker->commands || !worker->answers || !worker->notices || !worker->handed ||
	    worker->wake_fd < 0)
		return RTPFORK_ENOMEM;
	int result = make_core(worker, index, options, memory, resumed);
	if (result == 0)
		result = worker->ops->open(&worker->io, options->max_ports_per_thread, WORKER_BATCH,
					   worker->wake_fd);
	return result;
}

static void free_commands(struct rtpfork_ring *ring)
{
	struct rtpfork_command *command = NULL;
	while (ring && rtpfork_ring_pop(ring, &command))
		rtpfork_command_free(command);
	rtpfork_ring_free(ring);
}

void worker_free(struct worker *worker)
{
	static const uint64_t one = 1;
	if (worker->running) {
		atomic_store(&worker->stop, true);
		if (write(worker->wake_fd, &one, sizeof one) == sizeof one)
			pthread_join(worker->thread, NULL);
	}
	free_commands(worker->commands);
	free_commands(worker->answers);
	while (worker->waiting) {
		struct rtpfork_command *command = worker->waiting;
		worker->waiting = command->next;
		rtpfork_command_free(command);
	}
	rtpfork_ring_free(worker->notices);
	rtpfork_ring_free(worker->handed);
	if (worker->io)
		worker->ops->close(worker->io);
	rtpfork_core_free(worker->core);
	if (worker->wake_fd >= 0)
		close(worker->wake_fd);
}

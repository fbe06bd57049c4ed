/* The control side of the engine: sockets are bound, memory is got and freed here. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "engine_internal.h"
#include "table.h"

#define NS_PER_S 1000000000U

/* waking the caller */

/* It fails only when the counter is full, and then the descriptor is readable anyway. */
void rtpfork_engine_wake(struct rtpfork_engine *engine)
{
	static const uint64_t one = 1;
	(void)!write(engine->said_fd, &one, sizeof one);
}

void rtpfork_engine_begin(struct rtpfork_engine *engine)
{
	uint64_t unread;
	(void)!read(engine->said_fd, &unread, sizeof unread);
}

int rtpfork_engine_fd(const struct rtpfork_engine *engine)
{
	return engine->said_fd;
}

/* to the threads */

/* Answer |command| without asking a thread. */
static void refuse(struct rtpfork_engine *engine, struct rtpfork_command *command, int result)
{
	command->result = result;
	command->next = NULL;
	*engine->answered_end = command;
	engine->answered_end = &command->next;
	rtpfork_engine_wake(engine);
}

static void push_waiting(struct worker *worker)
{
	static const uint64_t one = 1;
	bool pushed = false;
	while (worker->waiting && worker->under_way < WORKER_COMMANDS) {
		struct rtpfork_command *command = worker->waiting;
		worker->waiting = command->next;
		if (!worker->waiting)
			worker->waiting_end = &worker->waiting;
		pushed = rtpfork_ring_push(worker->commands, &command);
		worker->under_way++;
	}
	if (pushed)
		(void)!write(worker->wake_fd, &one, sizeof one);
}

static void dispatch(struct rtpfork_engine *engine, struct rtpfork_command *command,
		     uint32_t thread)
{
	if (thread >= engine->thread_count) {
		refuse(engine, command, RTPFORK_EGONE);
		return;
	}
	struct worker *worker = &engine->workers[thread];
	command->thread = thread;
	command->next = NULL;
	*worker->waiting_end = command;
	worker->waiting_end = &command->next;
	push_waiting(worker);
}

void rtpfork_engine_use(struct rtpfork_engine *engine, enum rtpfork_io_kind most)
{
	static const uint64_t one = 1;
	for (uint32_t i = 0; i < engine->thread_count; i++) {
		atomic_store_explicit(&engine->workers[i].most, most, memory_order_release);
		(void)!write(engine->workers[i].wake_fd, &one, sizeof one);
	}
}

/* ports */

static void look_at_loads(struct rtpfork_engine *engine)
{
	uint64_t busy_ns[RTPFORK_MAX_THREADS];
	uint64_t now_ns = clock_now_ns();
	if (!placement_wants(&engine->placement, now_ns))
		return;
	for (uint32_t i = 0; i < engine->thread_count; i++)
		busy_ns[i] =
			atomic_load_explicit(&engine->workers[i].busy_ns, memory_order_relaxed);
	placement_look(&engine->placement, busy_ns, now_ns);
}

static uint32_t thread_for(struct rtpfork_engine *engine, uint64_t near)
{
	if (near != 0)
		return rtpfork_id_thread(near);
	look_at_loads(engine);
	return placement_choose(&engine->placement);
}

/* Close the sockets that |command| owns; says how many pairs. */
static size_t release(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	uint64_t now_ns = clock_now_ns();
	size_t released = 0;
	for (size_t i = 0; i < command->port_count; i++) {
		struct rtpfork_port_item *item = &command->ports[i];
		if (item->fds[0] < 0)
			continue;
		rtpfork_ports_release(engine->ports, item->fds, command->again, now_ns);
		released++;
	}
	return released;
}

static int bind_ports(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	struct rtpfork_address address;
	int result = rtpfork_address_parse(&address, command->open.host, 0);
	if (result != 0 || command->port_count == 0)
		return RTPFORK_EARGUMENT;
	if (engine->relay)
		relay_serve(engine->relay, &address, clock_now_ns());
	for (size_t i = 0; i < command->port_count; i++) {
		struct rtpfork_port_item *item = &command->ports[i];
		result = rtpfork_ports_bind(engine->ports, &address, command->open.low,
					    command->open.high, clock_now_ns(), item->fds);
		if (result != 0) {
			command->system_error = errno;
			release(engine, command);
			return result;
		}
		item->rtp_port = rtpfork_address_port(&address);
		item->sockets[0] = item->fds[0];
		item->sockets[1] = item->fds[1];
	}
	return 0;
}

static void open_ports(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	uint32_t thread = thread_for(engine, command->open.near);
	if (thread >= engine->thread_count) {
		refuse(engine, command, RTPFORK_EGONE);
		return;
	}
	int result = bind_ports(engine, command);
	if (result != 0) {
		refuse(engine, command, result);
		return;
	}
	placement_opened(&engine->placement, thread, command->port_count);
	dispatch(engine, command, thread);
}

/* the rest of the commands */

static void attach(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	uint32_t thread = rtpfork_id_thread(command->attach.stream);
	if (thread != rtpfork_id_thread(command->attach.via)) {
		refuse(engine, command, RTPFORK_EARGUMENT);
		return;
	}
	command->log = rtpfork_log_new(engine->options.log_packets,
				       (size_t)engine->options.log_packets * LOG_BYTES_PER_PACKET);
	if (!command->log)
		refuse(engine, command, RTPFORK_ENOMEM);
	else
		dispatch(engine, command, thread);
}

/* The next thread that a list of ids names and that has not seen it; false: all have. */
static bool next_thread(const struct rtpfork_command *command, uint32_t *thread)
{
	for (size_t i = 0; i < command->port_count; i++)
		if (!command->ports[i].visited) {
			*thread = rtpfork_id_thread(command->ports[i].id);
			return true;
		}
	for (size_t i = 0; i < command->reader_count; i++)
		if (!command->readers[i].visited) {
			*thread = rtpfork_id_thread(command->readers[i].id);
			return true;
		}
	return false;
}

/* A list of ids goes from thread to thread. What closes does so only when all of it is there. */
static void send_round(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	uint32_t thread = 0;
	if (next_thread(command, &thread))
		dispatch(engine, command, thread);
	else
		refuse(engine, command, 0);
}

static void close_ports(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	for (size_t i = 1; i < command->port_count; i++)
		if (rtpfork_id_thread(command->ports[i].id) !=
		    rtpfork_id_thread(command->ports[0].id))
			command->checking = true;
	send_round(engine, command);
}

void rtpfork_engine_submit(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	switch (command->kind) {
	case RTPFORK_OPEN:
		open_ports(engine, command);
		break;
	case RTPFORK_CONNECT:
		dispatch(engine, command, rtpfork_id_thread(command->connect.port));
		break;
	case RTPFORK_BRIDGE:
		if (rtpfork_id_thread(command->bridge.a) != rtpfork_id_thread(command->bridge.b))
			refuse(engine, command, RTPFORK_EARGUMENT);
		else
			dispatch(engine, command, rtpfork_id_thread(command->bridge.a));
		break;
	case RTPFORK_TONE:
		dispatch(engine, command, rtpfork_id_thread(command->tone.port));
		break;
	case RTPFORK_ANNOUNCE:
		dispatch(engine, command, rtpfork_id_thread(command->announce.port));
		break;
	case RTPFORK_ATTACH:
		attach(engine, command);
		break;
	case RTPFORK_UPDATE:
		dispatch(engine, command, rtpfork_id_thread(command->update.reader));
		break;
	case RTPFORK_SET_LIVE:
		dispatch(engine, command, rtpfork_id_thread(command->set_live.reader));
		break;
	case RTPFORK_DETACH:
		dispatch(engine, command, rtpfork_id_thread(command->detach.reader));
		break;
	case RTPFORK_CLOSE:
		close_ports(engine, command);
		break;
	case RTPFORK_COUNTERS:
		send_round(engine, command);
		break;
	case RTPFORK_SEND_DTLS:
		dispatch(engine, command, rtpfork_id_thread(command->send.port));
		break;
	}
}

/* from the threads */

/* Start the round that closes, when all ids were found; false: that is done already. */
static bool begin_closing(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	if (!command->checking)
		return false;
	command->checking = false;
	for (size_t i = 0; i < command->port_count; i++)
		command->ports[i].visited = false;
	send_round(engine, command);
	return true;
}

/* Finish what a thread has done. False: it goes on to the next thread. */
static bool finish(struct rtpfork_engine *engine, struct rtpfork_command *command)
{
	uint32_t thread = 0;
	if (command->kind == RTPFORK_OPEN || command->kind == RTPFORK_CLOSE)
		placement_closed(&engine->placement, command->thread, release(engine, command));
	bool list = command->kind == RTPFORK_CLOSE || command->kind == RTPFORK_COUNTERS;
	if (!list || command->result != 0)
		return true;
	if (next_thread(command, &thread)) {
		dispatch(engine, command, thread);
		return false;
	}
	return !begin_closing(engine, command);
}

static struct rtpfork_command *take_answered(struct rtpfork_engine *engine)
{
	struct rtpfork_command *command = engine->answered;
	if (!command)
		return NULL;
	engine->answered = command->next;
	if (!engine->answered)
		engine->answered_end = &engine->answered;
	return command;
}

static struct rtpfork_command *take_answer(struct rtpfork_engine *engine)
{
	struct rtpfork_command *command = NULL;
	for (uint32_t i = 0; i < engine->thread_count; i++) {
		struct worker *worker = &engine->workers[i];
		if (!rtpfork_ring_pop(worker->answers, &command))
			continue;
		worker->under_way--;
		push_waiting(worker);
		return command;
	}
	return NULL;
}

bool rtpfork_engine_next(struct rtpfork_engine *engine, struct rtpfork_message *message)
{
	message->answer = NULL;
	message->is_handed = false;
	for (;;) {
		struct rtpfork_command *command = take_answered(engine);
		if (command) {
			message->answer = command;
			return true;
		}
		command = take_answer(engine);
		if (!command)
			break;
		if (finish(engine, command)) {
			message->answer = command;
			return true;
		}
	}
	for (uint32_t i = 0; i < engine->thread_count; i++)
		if (rtpfork_ring_pop(engine->workers[i].notices, &message->notice))
			return true;
	message->is_handed = true;
	for (uint32_t i = 0; i < engine->thread_count; i++)
		if (rtpfork_ring_pop(engine->workers[i].handed, &message->handed))
			return true;
	return false;
}

/* statistics */

uint32_t rtpfork_engine_threads(const struct rtpfork_engine *engine)
{
	return engine->thread_count;
}

enum rtpfork_priority rtpfork_engine_priority(const struct rtpfork_engine *engine)
{
	return engine->priority;
}

int rtpfork_engine_stats(struct rtpfork_engine *engine, uint32_t thread,
			 struct rtpfork_thread_stats *stats)
{
	clockid_t clock;
	struct timespec spent;
	if (thread >= engine->thread_count)
		return RTPFORK_EARGUMENT;
	struct worker *worker = &engine->workers[thread];
	if (pthread_getcpuclockid(worker->thread, &clock) != 0 || clock_gettime(clock, &spent) != 0)
		return RTPFORK_ESYSTEM;
	stats->cpu_ns = (uint64_t)spent.tv_sec * NS_PER_S + (uint64_t)spent.tv_nsec;
	look_at_loads(engine);
	stats->load = engine->placement.loads[thread].share;
	stats->packets_received =
		atomic_load_explicit(&worker->packets_received, memory_order_relaxed);
	stats->packets_sent = atomic_load_explicit(&worker->packets_sent, memory_order_relaxed);
	stats->notices_lost = atomic_load_explicit(&worker->notices_lost, memory_order_relaxed);
	return 0;
}

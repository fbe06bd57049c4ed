/* The beginning and the end of an engine: alone, or after a process that was killed. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "engine_internal.h"
#include "schedule.h"
#include "table.h"

#define NS_PER_MS 1000000U
#define NS_PER_S  1000000000U

/* life */

void rtpfork_engine_defaults(struct rtpfork_engine_options *options)
{
	*options = (struct rtpfork_engine_options){
		.io = RTPFORK_IO_SOCKETS,
		.threads = 0,
		.max_ports_per_thread = 32768,
		.max_readers_per_thread = 32768,
		.log_packets = 8,
		.silence_ms = 5000,
		.port_rest_ms = 5000,
		.receive_buffer_bytes = 1 << 20,
		.memory_fd = -1,
	};
}

static int self_test(void)
{
	struct rtpfork_crypto *crypto = NULL;
	int result = rtpfork_crypto_new(&crypto);
	if (result == 0)
		result = rtpfork_crypto_self_test(crypto);
	rtpfork_crypto_free(crypto);
	return result;
}

/* One offset for all threads and all time, so that all streams of a recording relate to one clock
 * (RTP-25), whatever steps the wall clock makes. */
static uint64_t unix_offset_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec - clock_now_ns();
}

static uint32_t threads_wanted(const struct rtpfork_engine_options *options)
{
	if (options->threads != 0)
		return options->threads;
	size_t cores = options->cpu_count != 0 ? options->cpu_count : schedule_cpus();
	return cores > RTPFORK_MAX_THREADS ? RTPFORK_MAX_THREADS : (uint32_t)cores;
}

static bool sane(const struct rtpfork_engine_options *options)
{
	uint32_t packets = options->log_packets;
	return packets * LOG_BYTES_PER_PACKET >= RTPFORK_MAX_DATAGRAM_BYTES &&
	       packets <= 1U << 16 && (packets & (packets - 1)) == 0 &&
	       options->threads <= RTPFORK_MAX_THREADS && options->silence_ms != 0;
}

static struct rtpfork_resumed port_of(const struct rtpfork_core *core, uint64_t id)
{
	return (struct rtpfork_resumed){.id = id, .ends = {rtpfork_core_peer(core, id)}};
}

static struct rtpfork_resumed reader_of(const struct rtpfork_core *core, uint64_t id)
{
	struct rtpfork_resumed reader = {.id = id, .reader = true};
	rtpfork_core_ends(core, id, &reader.ends[0], &reader.ends[1]);
	return reader;
}

static size_t count_open(const struct rtpfork_core *core)
{
	size_t count = 0;
	uint32_t slot = 0;
	while (rtpfork_core_each_port(core, &slot) != 0)
		count++;
	slot = 0;
	while (rtpfork_core_each_reader(core, &slot) != 0)
		count++;
	return count;
}

static void list_of(struct rtpfork_engine *engine, uint32_t thread, size_t room)
{
	const struct rtpfork_core *core = engine->workers[thread].core;
	size_t *count = &engine->resumed_count;
	uint32_t slot = 0;
	for (uint64_t id; *count < room && (id = rtpfork_core_each_port(core, &slot)) != 0;) {
		placement_opened(&engine->placement, thread, 1);
		engine->resumed[(*count)++] = port_of(core, id);
	}
	slot = 0;
	for (uint64_t id; *count < room && (id = rtpfork_core_each_reader(core, &slot)) != 0;)
		engine->resumed[(*count)++] = reader_of(core, id);
}

/* Note what goes on, while no thread runs. */
static int list_resumed(struct rtpfork_engine *engine)
{
	size_t room = 0;
	for (uint32_t i = 0; i < engine->thread_count; i++)
		room += count_open(engine->workers[i].core);
	engine->placement.threads = engine->thread_count;
	engine->resumed = calloc(room + 1, sizeof *engine->resumed);
	if (!engine->resumed)
		return RTPFORK_ENOMEM;
	for (uint32_t i = 0; i < engine->thread_count; i++)
		list_of(engine, i, room);
	return 0;
}

/* Threads that do not run yet. */
static int make_workers(struct rtpfork_engine *engine, bool resumed)
{
	int result = 0;
	while (result == 0 && engine->thread_count < engine->threads) {
		uint32_t index = engine->thread_count++;
		result = worker_make(&engine->workers[index], index, &engine->options,
				     &engine->memory, resumed, engine->said_fd);
	}
	return result;
}

static void free_workers(struct rtpfork_engine *engine)
{
	for (uint32_t i = 0; i < engine->thread_count; i++)
		worker_free(&engine->workers[i]);
	if (engine->workers)
		memset(engine->workers, 0, engine->threads * sizeof *engine->workers);
	engine->thread_count = 0;
}

/* Nothing goes on; the sockets of what was before are in nobody's way. */
static int begin_anew(struct rtpfork_engine *engine)
{
	free_workers(engine);
	memory_clear(&engine->memory);
	*memory_unix_offset_ns(&engine->memory) = unix_offset_ns();
	return make_workers(engine, false);
}

static int begin(struct rtpfork_engine *engine, enum memory_found found)
{
	if (found != MEMORY_LEFT) {
		engine->start = found == MEMORY_EMPTY ? RTPFORK_START_EMPTY : RTPFORK_START_REFUSED;
		return begin_anew(engine);
	}
	engine->start = RTPFORK_START_RESUMED;
	int result = make_workers(engine, true);
	if (result != RTPFORK_EDAMAGED)
		return result;
	engine->start = RTPFORK_START_REFUSED;
	return begin_anew(engine);
}

/* The relay in the kernel; where none is wanted, one that a crash has left there ends. */
static int take_relay(struct rtpfork_engine *engine)
{
	const struct rtpfork_engine_options *options = &engine->options;
	bool wanted = options->io == RTPFORK_IO_BPF;
	if (!wanted && (!options->pins || access(options->pins, F_OK) != 0))
		return 0;
	bool resumed = wanted && engine->start == RTPFORK_START_RESUMED;
	int result = relay_new(options->pins, engine->threads, options->max_ports_per_thread,
			       resumed, &engine->relay);
	if (!wanted) {
		relay_free(engine->relay);
		engine->relay = NULL;
		return 0;
	}
	for (uint32_t i = 0; result == 0 && i < engine->thread_count; i++)
		result = engine->workers[i].ops->join(engine->workers[i].io, engine->relay, i);
	return result;
}

static int start_workers(struct rtpfork_engine *engine, struct rtpfork_kept *kept)
{
	int result = take_relay(engine);
	uint64_t now_ns = clock_now_ns();
	for (uint32_t i = 0; result == 0 && i < engine->thread_count; i++)
		result = worker_take_up(&engine->workers[i], kept, engine->options.kept_count,
					now_ns);
	if (result == 0)
		result = list_resumed(engine);
	memory_mark(&engine->memory, true);
	for (uint32_t i = 0; result == 0 && i < engine->thread_count; i++)
		result = worker_start(&engine->workers[i], i, &engine->options, &engine->priority);
	return result;
}

static void close_kept(const struct rtpfork_kept *kept, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int n = 0; n < 2; n++)
			if (kept[i].fds[n] >= 0)
				close(kept[i].fds[n]);
}

static int set_up(struct rtpfork_engine *engine, struct rtpfork_kept *kept)
{
	const struct rtpfork_engine_options *options = &engine->options;
	struct memory_shape shape = {.threads = engine->threads,
				     .max_ports = options->max_ports_per_thread,
				     .max_readers = options->max_readers_per_thread};
	enum memory_found found = MEMORY_EMPTY;
	engine->said_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	engine->workers = calloc(engine->threads, sizeof *engine->workers);
	if (engine->said_fd < 0 || !engine->workers)
		return RTPFORK_ENOMEM;
	int result = memory_open(&engine->memory, options->memory_fd, &shape, &found);
	if (result == 0)
		result = begin(engine, found);
	if (result != 0)
		return result;
	engine->ports = rtpfork_ports_begin(engine->memory.ports,
					    (uint64_t)options->port_rest_ms * NS_PER_MS,
					    options->receive_buffer_bytes, clock_now_ns());
	return start_workers(engine, kept);
}

int rtpfork_engine_new(const struct rtpfork_engine_options *options, struct rtpfork_engine **out)
{
	if (!sane(options))
		return RTPFORK_EARGUMENT;
	int result = self_test();
	if (result != 0)
		return result;
	struct rtpfork_engine *engine = calloc(1, sizeof *engine);
	struct rtpfork_kept *kept = calloc(options->kept_count + 1, sizeof *kept);
	if (!engine || !kept) {
		free(engine);
		free(kept);
		return RTPFORK_ENOMEM;
	}
	for (size_t i = 0; i < options->kept_count; i++)
		kept[i] = options->kept[i];
	engine->options = *options;
	engine->answered_end = &engine->answered;
	engine->threads = threads_wanted(options);
	result = set_up(engine, kept);
	close_kept(kept, options->kept_count);
	free(kept);
	if (result != 0) {
		rtpfork_engine_free(engine);
		return result;
	}
	*out = engine;
	return 0;
}

void rtpfork_engine_free(struct rtpfork_engine *engine)
{
	if (!engine)
		return;
	if (engine->memory.header)
		memory_mark(&engine->memory, false);
	free_workers(engine);
	while (engine->answered) {
		struct rtpfork_command *command = engine->answered;
		engine->answered = command->next;
		rtpfork_command_free(command);
	}
	relay_free(engine->relay);
	free(engine->workers);
	free(engine->resumed);
	memory_close(&engine->memory);
	if (engine->said_fd >= 0)
		close(engine->said_fd);
	free(engine);
}

/* how it began */

enum rtpfork_start rtpfork_engine_start(const struct rtpfork_engine *engine)
{
	return engine->start;
}

const struct rtpfork_resumed *rtpfork_engine_resumed(const struct rtpfork_engine *engine,
						     size_t *count)
{
	*count = engine->resumed_count;
	return engine->resumed;
}

const struct rtpfork_sound *rtpfork_engine_sound(struct rtpfork_engine *engine,
						 const int16_t *samples, size_t count)
{
	return rtpfork_sounds_keep(engine->memory.sounds, samples, count);
}

/* Commands as the packet thread carries them out; all memory in them is the control side's. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"
#include "worker.h"

/* made and freed by the control side */

struct rtpfork_command *rtpfork_command_new(enum rtpfork_command_kind kind, size_t ports,
					    size_t readers)
{
	struct rtpfork_command *command = calloc(1, sizeof *command);
	if (!command)
		return NULL;
	command->kind = kind;
	command->port_count = ports;
	command->reader_count = readers;
	command->ports = calloc(ports + 1, sizeof *command->ports);
	command->readers = calloc(readers + 1, sizeof *command->readers);
	if (!command->ports || !command->readers) {
		rtpfork_command_free(command);
		return NULL;
	}
	for (size_t i = 0; i < ports; i++)
		command->ports[i].fds[0] = command->ports[i].fds[1] = -1;
	return command;
}

bool rtpfork_command_carry(struct rtpfork_command *command, const uint8_t *data, size_t bytes)
{
	command->data = malloc(bytes + 1);
	if (!command->data)
		return false;
	memcpy(command->data, data, bytes);
	command->bytes = bytes;
	return true;
}

void rtpfork_command_free(struct rtpfork_command *command)
{
	if (!command)
		return;
	rtpfork_log_free(command->log);
	while (command->garbage) {
		struct rtpfork_log *log = command->garbage;
		command->garbage = *rtpfork_log_link(log);
		rtpfork_log_free(log);
	}
	for (size_t i = 0; command->ports && i < command->port_count; i++)
		for (int n = 0; n < 2; n++)
			if (command->ports[i].fds[n] >= 0)
				close(command->ports[i].fds[n]);
	free(command->data);
	free(command->ports);
	free(command->readers);
	OPENSSL_cleanse(command, sizeof *command);
	free(command);
}

/* run by the packet thread */

void worker_aim(struct worker *worker, uint32_t slot)
{
	worker->ops->aim(worker->io, slot, false, rtpfork_core_aim(worker->core, slot, false));
	worker->ops->aim(worker->io, slot, true, rtpfork_core_aim(worker->core, slot, true));
}

static void aim_reader(struct worker *worker, uint64_t reader)
{
	uint32_t slot = 0;
	if (rtpfork_core_via(worker->core, reader, &slot) == 0)
		worker_aim(worker, slot);
}

/* Close one port: the BYEs of its readers leave before its sockets do. */
static int close_port(struct worker *worker, struct rtpfork_command *command,
		      struct rtpfork_port_item *item, uint64_t now_ns)
{
	uint32_t slot = 0;
	if (rtpfork_core_slot(worker->core, item->id, &slot) != 0)
		return rtpfork_core_ended_port(worker->core, item->id, &item->counters);
	worker_withdraw(worker, slot, now_ns);
	rtpfork_core_close(worker->core, item->id, now_ns, &item->counters, &command->garbage);
	worker_flush(worker, now_ns);
	worker->ops->remove(worker->io, slot, item->fds);
	return 0;
}

static int open_ports(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns)
{
	for (size_t i = 0; i < command->port_count; i++) {
		struct rtpfork_port_item *item = &command->ports[i];
		uint32_t slot = 0;
		int result = rtpfork_core_open(worker->core, &item->id, &slot);
		if (result == 0) {
			if (command->open.dtls)
				rtpfork_core_take_dtls(worker->core, item->id);
			result = worker->ops->add(worker->io, slot, item->fds);
			if (result == 0) {
				item->fds[0] = item->fds[1] = -1;
				continue;
			}
			rtpfork_core_close(worker->core, item->id, now_ns, &item->counters,
					   &command->garbage);
		}
		while (i-- > 0)
			close_port(worker, command, &command->ports[i], now_ns);
		return RTPFORK_ENOMEM;
	}
	return 0;
}

static int attach(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns)
{
	int result = rtpfork_core_attach(worker->core, command->attach.stream, command->attach.via,
					 &command->attach.identity, &command->attach.target,
					 &command->log, &command->attach.reader);
	if (result != 0)
		return result;
	aim_reader(worker, command->attach.reader);
	return rtpfork_core_set_live(worker->core, command->attach.reader, command->attach.live,
				     now_ns);
}

static int update(struct worker *worker, struct rtpfork_command *command)
{
	int result =
		rtpfork_core_update(worker->core, command->update.reader, &command->update.target);
	if (result == 0)
		aim_reader(worker, command->update.reader);
	return result;
}

static int connect_port(struct worker *worker, struct rtpfork_command *command)
{
	uint32_t slot = 0;
	int result =
		rtpfork_core_connect(worker->core, command->connect.port, &command->connect.party);
	if (result == 0 && rtpfork_core_slot(worker->core, command->connect.port, &slot) == 0)
		worker_aim(worker, slot);
	return result;
}

static int detach(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns)
{
	uint32_t slot = 0;
	if (rtpfork_core_via(worker->core, command->detach.reader, &slot) != 0)
		return rtpfork_core_ended_reader(worker->core, command->detach.reader,
						 &command->detach.counters);
	rtpfork_core_detach(worker->core, command->detach.reader, now_ns, &command->detach.counters,
			    &command->garbage);
	worker_flush(worker, now_ns);
	worker_aim(worker, slot);
	return 0;
}

/* Whether an id of a list is this thread's to look at. */
static bool mine(const struct rtpfork_command *command, uint64_t id, bool visited)
{
	return !visited && rtpfork_id_thread(id) == command->thread;
}

static int check_ports(struct worker *worker, const struct rtpfork_command *command)
{
	uint32_t slot = 0;
	struct rtpfork_port_counters unread;
	for (size_t i = 0; i < command->port_count; i++) {
		const struct rtpfork_port_item *item = &command->ports[i];
		if (!mine(command, item->id, item->visited))
			continue;
		if (rtpfork_core_slot(worker->core, item->id, &slot) == 0)
			continue;
		int result = rtpfork_core_ended_port(worker->core, item->id, &unread);
		if (result != 0)
			return result;
	}
	return 0;
}

static int close_ports(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns)
{
	int result = check_ports(worker, command);
	if (result != 0)
		return result;
	for (size_t i = 0; i < command->port_count; i++) {
		struct rtpfork_port_item *item = &command->ports[i];
		if (!mine(command, item->id, item->visited))
			continue;
		item->visited = true;
		if (!command->checking)
			close_port(worker, command, item, now_ns);
	}
	return 0;
}

static int read_counters(struct worker *worker, struct rtpfork_command *command)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < command->port_count; i++) {
		struct rtpfork_port_item *item = &command->ports[i];
		if (!mine(command, item->id, item->visited))
			continue;
		item->visited = true;
		result = rtpfork_core_port_counters(worker->core, item->id, &item->counters);
	}
	for (size_t i = 0; result == 0 && i < command->reader_count; i++) {
		struct rtpfork_reader_item *item = &command->readers[i];
		if (!mine(command, item->id, item->visited))
			continue;
		item->visited = true;
		result = rtpfork_core_reader_counters(worker->core, item->id, &item->counters);
	}
	return result;
}

static int run(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns)
{
	switch (command->kind) {
	case RTPFORK_OPEN:
		return open_ports(worker, command, now_ns);
	case RTPFORK_CONNECT:
		return connect_port(worker, command);
	case RTPFORK_BRIDGE:
		return rtpfork_core_bridge(worker->core, command->bridge.a, command->bridge.b);
	case RTPFORK_ATTACH:
		return attach(worker, command, now_ns);
	case RTPFORK_UPDATE:
		return update(worker, command);
	case RTPFORK_SET_LIVE:
		return rtpfork_core_set_live(worker->core, command->set_live.reader,
					     command->set_live.live, now_ns);
	case RTPFORK_DETACH:
		return detach(worker, command, now_ns);
	case RTPFORK_CLOSE:
		return close_ports(worker, command, now_ns);
	case RTPFORK_COUNTERS:
		return read_counters(worker, command);
	case RTPFORK_SEND_DTLS:
		return rtpfork_core_send_dtls(worker->core, command->send.port, command->send.rtcp,
					      &command->send.to, command->data, command->bytes);
	case RTPFORK_ANNOUNCE:
		return rtpfork_core_announce(worker->core, command->announce.port,
					     &command->announce.what, now_ns);
	case RTPFORK_TONE:
		return rtpfork_core_set_tone(worker->core, command->tone.port, &command->tone.tone);
	}
	return RTPFORK_EARGUMENT;
}

void worker_run(struct worker *worker, struct rtpfork_command *command, uint64_t now_ns)
{
	command->result = run(worker, command, now_ns);
}

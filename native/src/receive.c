/* The way of one datagram: admit, unprotect, account, relay, append. */
#include <string.h>

#include "core_internal.h"

#define MS_PER_S       1000U
#define NS_PER_MS      1000000ULL
#define DTMF_EVERY_MS  20U   /* so often DTMF is reported for long, */
#define DTLS_EVERY_MS  10U   /* and DTLS handed over, */
#define AHEAD_MS       1000U /* and so much of either at once */
#define RTCP_TYPE_SR   200U
#define RTCP_TYPE_LAST 207U /* RFC 3550, 4585, 3611; 72..79 as payload types with marker */

/* whose it is */

const struct rtpfork_address *core_rtp_target(const struct port *port)
{
	bool learned =
		rtpfork_address_known(&port->latched) && rtpfork_address_known(&port->remote);
	return learned ? &port->latched : &port->remote;
}

static const struct rtpfork_address *rtcp_target(const struct port *port)
{
	if (port->rtcp_mux)
		return core_rtp_target(port);
	bool learned = rtpfork_address_known(&port->latched_rtcp) &&
		       rtpfork_address_known(&port->rtcp_target);
	return learned ? &port->latched_rtcp : &port->rtcp_target;
}

/* Whether |from| may be the party's RTP address. A strict port knows it, also while the party holds
 * by an address of zeros: that stops what is sent to it, not its music (RFC 3264 8.4). A learning
 * one takes any until one has proved itself by a valid packet. */
static bool admit_rtp(const struct port *port, const struct rtpfork_address *from)
{
	if (!port->learn) {
		bool held = !rtpfork_address_known(&port->remote);
		return rtpfork_address_equal(from, held ? &port->latched_for : &port->remote);
	}
	return !rtpfork_address_known(&port->latched) ||
	       rtpfork_address_equal(from, &port->latched);
}

/* The same for RTCP on its own socket: a learning port wants the host that sends RTP. */
static bool admit_rtcp(const struct port *port, const struct rtpfork_address *from)
{
	if (!port->learn)
		return rtpfork_address_equal(from, &port->rtcp_target);
	if (rtpfork_address_known(&port->latched_rtcp))
		return rtpfork_address_equal(from, &port->latched_rtcp);
	const struct rtpfork_address *host =
		rtpfork_address_known(&port->latched) ? &port->latched : &port->remote;
	return rtpfork_address_same_host(from, host);
}

/* Only valid RTP proves a source: until then nothing else but the signalled one is heard. */
static bool proven(const struct port *port, const struct rtpfork_in *in)
{
	return in->rtcp || !port->learn || rtpfork_address_known(&port->latched) ||
	       rtpfork_address_equal(&in->from, &port->remote);
}

static void learn(struct rtpfork_core *core, struct port *port, struct rtpfork_address *latched,
		  const struct rtpfork_address *from)
{
	if (!port->learn || rtpfork_address_known(latched))
		return;
	struct rtpfork_address source = *from;
	source.any.sa_family = AF_UNSPEC;
	*latched = source;
	in_order(); /* half of an address is none */
	latched->any.sa_family = from->any.sa_family;
	core_touch_both(core, port);
}

/* relay */

static int protect(struct rtpfork_core *core, struct port *to, const struct rtpfork_in *in,
		   enum rtpfork_out_kind kind, struct rtpfork_out *out, uint8_t *buffer)
{
	out->data = in->data;
	out->bytes = (uint32_t)in->bytes;
	if (!to->send.now || kind == RTPFORK_OUT_RAW)
		return 0;
	size_t bytes = 0;
	int result = kind == RTPFORK_OUT_RTCP
			     ? rtpfork_srtcp_protect(core_key(core, &to->send), core->crypto,
						     in->data, in->bytes, buffer, OUT_BYTES, &bytes)
			     : rtpfork_srtp_protect(core_key(core, &to->send), core->crypto,
						    in->data, in->bytes, buffer, OUT_BYTES, &bytes);
	out->data = buffer;
	out->bytes = (uint32_t)bytes;
	return result;
}

/* Send |in|, decrypted if it was SRTP, to the party of the bridged port. */
static void relay(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in,
		  enum rtpfork_out_kind kind)
{
	struct port *peer = port->peer == NONE ? NULL : &core->ports[port->peer];
	bool rtcp = kind == RTPFORK_OUT_RTCP || (kind == RTPFORK_OUT_RAW && in->rtcp);
	const struct rtpfork_address *to = NULL;
	if (peer)
		to = rtcp ? rtcp_target(peer) : core_rtp_target(peer);
	if (!to || !rtpfork_address_known(to)) {
		port->counters.dropped_unbridged++;
		return;
	}
	uint8_t *buffer = NULL;
	struct rtpfork_out *out = core_next_out(core, &buffer);
	if (protect(core, peer, in, kind, out, buffer) != 0) {
		port->counters.dropped_send++;
		return;
	}
	out->port = peer->slot;
	out->rtcp = rtcp && !peer->rtcp_mux;
	out->kind = kind;
	out->owner = port->slot;
	out->to = to;
	core_queue(core);
}

/* RTP */

/* Relay |in|, with the part of the tone that the other party hears now. Readers see what was
 * received, unless the tone is recorded: then it is mixed into |in| itself. */
static void relay_rtp(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in,
		      const struct rtpfork_rtp *rtp)
{
	struct port *peer = port->peer == NONE ? NULL : &core->ports[port->peer];
	if (!peer || !rtpfork_address_known(core_rtp_target(peer)) ||
	    !tone_due(&peer->tone, rtp, in->now_ns, &peer->counters.tones)) {
		relay(core, port, in, RTPFORK_OUT_RTP);
		return;
	}
	struct rtpfork_in heard = *in;
	if (!peer->tone.what.recorded) {
		uint8_t *buffer = NULL;
		core_next_out(core, &buffer);
		heard.data = peer->send.now ? core->mixed : buffer;
		memcpy(heard.data, in->data, in->bytes);
	}
	tone_mix(&peer->tone, rtp, heard.data);
	relay(core, port, &heard, RTPFORK_OUT_RTP);
}

/* Decrypt in place if the party sends SRTP, and parse. */
static int open_rtp(struct rtpfork_core *core, struct port *port, struct rtpfork_in *in,
		    struct rtpfork_rtp *rtp)
{
	if (port->receive.now) {
		int result = rtpfork_srtp_unprotect(core_key(core, &port->receive), core->crypto,
						    in->data, in->bytes, in->data, in->bytes,
						    &in->bytes);
		if (result != 0)
			return result;
	}
	return rtpfork_rtp_parse(in->data, in->bytes, rtp);
}

static bool is_event(const struct port *port, uint8_t payload_type)
{
	for (size_t i = 0; i < port->event_type_count; i++)
		if (port->event_types[i] == payload_type)
			return true;
	return false;
}

/* Nobody presses so many keys, no handshake is so long: a flood of either must not keep the control
 * side busy. */
static bool too_much(uint64_t *due_ns, uint64_t every_ms, uint64_t now_ns)
{
	if (*due_ns > now_ns + AHEAD_MS * NS_PER_MS)
		return true;
	if (*due_ns < now_ns)
		*due_ns = now_ns;
	*due_ns += every_ms * NS_PER_MS;
	return false;
}

void core_notice_dtmf(struct rtpfork_core *core, struct port *port, uint64_t now_ns,
		      const struct rtpfork_event_ended *ended)
{
	if (too_much(&port->dtmf_due_ns, DTMF_EVERY_MS, now_ns)) {
		port->counters.dtmf_unreported++;
		return;
	}
	uint64_t duration_ms = (uint64_t)ended->duration * MS_PER_S / port->clock_rate;
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_DTMF,
		.id = rtpfork_table_id(&core->port_ids, port->slot),
		.dtmf = {.code = ended->code, .duration_ms = (uint32_t)duration_ms},
	};
	core_notify(core, &notice);
}

static void follow_event(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in,
			 const struct rtpfork_rtp *rtp)
{
	struct rtpfork_event event;
	struct rtpfork_event_ended ended[RTPFORK_EVENT_ENDED_MAX];
	if (rtpfork_event_parse(in->data + rtp->header_bytes, rtp->payload_bytes, &event) != 0)
		return;
	size_t count = rtpfork_event_receive(&port->tracker, rtp->timestamp, &event, ended);
	for (size_t i = 0; i < count; i++)
		core_notice_dtmf(core, port, in->now_ns, &ended[i]);
}

/* The source started anew, and its timestamps with it: an event it left open has ended. */
static void end_events(struct rtpfork_core *core, struct port *port, uint64_t now_ns)
{
	struct rtpfork_event_ended ended;
	if (rtpfork_event_flush(&port->tracker, &ended) != 0)
		core_notice_dtmf(core, port, now_ns, &ended);
	rtpfork_event_reset(&port->tracker);
}

/* Notice the first packet of a port and the end of a silence. */
static void hear(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in,
		 const struct rtpfork_rtp *rtp)
{
	port->last_rtp_ns = in->now_ns;
	if (port->heard && !port->silent)
		return;
	struct rtpfork_notice notice = {.id = rtpfork_table_id(&core->port_ids, port->slot)};
	if (!port->heard) {
		notice.kind = RTPFORK_NOTICE_FIRST_PACKET;
		notice.first.payload_type = rtp->payload_type;
		notice.first.ssrc = rtp->ssrc;
		notice.first.source = in->from;
	} else {
		notice.kind = RTPFORK_NOTICE_SILENCE;
		notice.silent = false;
	}
	port->heard = true;
	port->silent = false;
	core_notify(core, &notice);
}

bool core_may_keep(const struct rtpfork_core *core, const struct port *port)
{
	for (uint32_t slot = port->stream_readers; slot != NONE;
	     slot = core->forks[slot].next_of_stream)
		if (core->forks[slot].reader.live)
			return true;
	return port->stream_readers == NONE;
}

static void append(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in,
		   const struct rtpfork_rtp *rtp, const struct rtpfork_source_packet *place,
		   bool event)
{
	bool cut = in->relayed && in->held < in->bytes;
	bool kept = !cut && core_may_keep(core, port);
	struct rtpfork_logged packet = {
		.data = in->data,
		.bytes = (uint16_t)(kept ? in->bytes : rtp->header_bytes),
		.unkept = !kept,
		.payload_bytes = (uint16_t)rtp->payload_bytes,
		.payload_type = rtp->payload_type,
		.marker = rtp->marker,
		.event = event,
		.stale = place->verdict == RTPFORK_SOURCE_DUPLICATE ||
			 place->verdict == RTPFORK_SOURCE_JUMP,
		.run = port->run,
		.timestamp = rtp->timestamp,
		.extended = place->extended,
		.arrival_ns = in->now_ns,
	};
	if (rtpfork_log_append(port->log, &packet) != 0)
		return;
	port->counters.appended++;
	if (!port->dirty)
		core->dirty[core->dirty_count++] = port->slot;
	port->dirty = true;
}

/* What is missing since the process before was read by nobody, or by that one last. */
static void count_gap(struct port *port, const struct rtpfork_source_packet *place, int64_t highest)
{
	port->resumed = false;
	if (place->verdict == RTPFORK_SOURCE_AHEAD)
		port->counters.lost_restart += (uint64_t)(place->extended - highest - 1);
}

/* Account |rtp|, relay it unless that is done, and keep it for the readers. */
static void take_rtp(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in,
		     const struct rtpfork_rtp *rtp)
{
	hear(core, port, in, rtp);
	bool event = is_event(port, rtp->payload_type);
	int64_t highest = port->source.highest;
	struct rtpfork_source_packet place = rtpfork_source_receive(&port->source, rtp, in->now_ns,
								    event ? 0 : port->clock_rate);
	if (port->resumed)
		count_gap(port, &place, highest);
	if (place.verdict == RTPFORK_SOURCE_FIRST || place.verdict == RTPFORK_SOURCE_RESTART) {
		port->run++;
		end_events(core, port, in->now_ns);
	}
	port->counters.received++;
	port->counters.received_octets += rtp->payload_bytes;
	if (in->relayed)
		port->counters.relayed++;
	else
		relay_rtp(core, port, in, rtp);
	if (event)
		follow_event(core, port, in, rtp);
	if (port->log)
		append(core, port, in, rtp, &place, event);
}

static void receive_rtp(struct rtpfork_core *core, struct port *port, struct rtpfork_in *in)
{
	struct rtpfork_rtp rtp;
	int result = open_rtp(core, port, in, &rtp);
	if (result != 0) {
		core_count_refused(port, result);
		return;
	}
	learn(core, port, &port->latched, &in->from);
	take_rtp(core, port, in, &rtp);
}

struct rtpfork_told *rtpfork_core_told(struct rtpfork_core *core, uint32_t slot)
{
	return &core->ports[slot].told;
}

/* What the I/O has relayed by itself. Packets that it could not tell of are no loss of the
 * source's, but the readers have overslept them. */
static void receive_relayed(struct rtpfork_core *core, struct port *port,
			    const struct rtpfork_in *in)
{
	struct rtpfork_rtp rtp;
	/* First: a process that follows does not take it twice, but may find it missing. */
	port->told = in->told;
	in_order();
	port->missed += in->missed;
	port->counters.received += in->missed;
	port->counters.relayed += in->missed;
	for (uint32_t slot = in->missed == 0 ? NONE : port->stream_readers; slot != NONE;
	     slot = core->forks[slot].next_of_stream)
		rtpfork_reader_overrun(&core->forks[slot].reader, in->missed);
	if (in->bytes != 0 && rtpfork_rtp_parse_header(in->data, in->bytes, &rtp) == 0)
		take_rtp(core, port, in, &rtp);
}

/* the rest */

/* What is no compound packet (RFC 5506 allows it) is the parties' own affair, but proves no source.
 */
static void receive_rtcp(struct rtpfork_core *core, struct port *port, struct rtpfork_in *in)
{
	int result = 0;
	if (port->receive.now)
		result = rtpfork_srtcp_unprotect(core_key(core, &port->receive), core->crypto,
						 in->data, in->bytes, in->data, in->bytes,
						 &in->bytes);
	if (result != 0) {
		core_count_refused(port, result);
		return;
	}
	if (in->rtcp && rtpfork_rtcp_check(in->data, in->bytes) == 0)
		learn(core, port, &port->latched_rtcp, &in->from);
	port->counters.rtcp_received++;
	relay(core, port, in, RTPFORK_OUT_RTCP);
}

static void receive_raw(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in)
{
	if (port->raw)
		learn(core, port, in->rtcp ? &port->latched_rtcp : &port->latched, &in->from);
	port->raw_received++;
	relay(core, port, in, RTPFORK_OUT_RAW);
}

/* Whether SRTP is spoken on either side of |port|. */
static bool is_secure(const struct rtpfork_core *core, const struct port *port)
{
	return port->receive.now || (port->peer != NONE && core->ports[port->peer].send.now);
}

/* What belongs to RTP or RTCP by its first octets, on this socket (RFC 5761 4, RFC 7983). */
static enum rtpfork_kind kind_here(const struct port *port, const struct rtpfork_in *in,
				   bool secure)
{
	enum rtpfork_kind kind = rtpfork_classify(in->data, in->bytes);
	if (in->rtcp)
		return kind == RTPFORK_KIND_RTP ? RTPFORK_KIND_UNKNOWN : kind;
	if (kind != RTPFORK_KIND_RTCP || port->rtcp_mux)
		return kind;
	/* Payload types 64 to 95 with a marker look like RTCP, but only multiplexing forbids them
	 * (RFC 5761 4). RTCP where it was not agreed is passed on, since the parties may know
	 * better, though not beside SRTP, where it would go unprotected. */
	if (in->data[1] < RTCP_TYPE_SR || in->data[1] > RTCP_TYPE_LAST)
		return RTPFORK_KIND_RTP;
	return secure ? RTPFORK_KIND_UNKNOWN : RTPFORK_KIND_STUN;
}

/* Whose the handshake is, the control side knows. */
static void hand_over(struct rtpfork_core *core, struct port *port, const struct rtpfork_in *in)
{
	if (too_much(&port->dtls_due_ns, DTLS_EVERY_MS, in->now_ns)) {
		port->counters.dropped_foreign++;
		return;
	}
	struct rtpfork_handed handed = {
		.port = rtpfork_table_id(&core->port_ids, port->slot),
		.rtcp = in->rtcp,
		.from = in->from,
		.bytes = in->bytes,
	};
	memcpy(handed.data, in->data, in->bytes);
	core->options.hand_over(core->options.owner, &handed);
}

void rtpfork_core_receive(struct rtpfork_core *core, const struct rtpfork_in *in)
{
	struct rtpfork_in opened = *in; /* decrypting shortens it */
	struct port *port = &core->ports[in->port];
	if (in->error != 0) {
		core_unreachable(core, port, in->rtcp, in->now_ns);
		return;
	}
	if (in->relayed) {
		receive_relayed(core, port, in);
		return;
	}
	if (in->bytes > RTPFORK_MAX_DATAGRAM_BYTES) {
		port->counters.dropped_malformed++;
		return;
	}
	if (port->dtls && rtpfork_classify(in->data, in->bytes) == RTPFORK_KIND_DTLS) {
		hand_over(core, port, in);
		return;
	}
	if (port->via_readers != NONE && core_receive_from_srs(core, port, in))
		return;
	if (!(in->rtcp ? admit_rtcp(port, &in->from) : admit_rtp(port, &in->from))) {
		port->counters.dropped_foreign++;
		return;
	}
	if (port->raw) {
		receive_raw(core, port, in);
		return;
	}
	enum rtpfork_kind kind = kind_here(port, in, is_secure(core, port));
	if (kind != RTPFORK_KIND_RTP && !proven(port, in)) {
		port->counters.dropped_foreign++;
		return;
	}
	switch (kind) {
	case RTPFORK_KIND_RTP:
		receive_rtp(core, port, &opened);
		break;
	case RTPFORK_KIND_RTCP:
		receive_rtcp(core, port, &opened);
		break;
	case RTPFORK_KIND_STUN:
	case RTPFORK_KIND_DTLS:
		receive_raw(core, port, in);
		break;
	case RTPFORK_KIND_UNKNOWN:
		port->counters.dropped_malformed++;
		break;
	}
}

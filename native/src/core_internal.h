/* What a core is made of; shared by its files, by nobody else. */
#ifndef RTPFORK_CORE_INTERNAL_H
#define RTPFORK_CORE_INTERNAL_H

#include "order.h"
#include "pool.h"
#include "rtpfork/core.h"
#include "rtpfork/event.h"
#include "rtpfork/rtp.h"
#include "rtpfork/source.h"
#include "table.h"
#include "tone.h"

#define NONE UINT32_MAX

#define MAX_USED_KEYS	 16 /* of one direction that are remembered, the oldest is forgotten */
#define KEYS_BEFORE	 1
#define SEND_KEYS_BEFORE 3 /* so four forks of a call may each send before one of them answers */

/* Keys are the core's to hand out, for most ports and readers have none. */
struct held_key {
	struct rtpfork_srtp_key key;
	uint32_t older; /* as in struct keys */
};

/* What one direction was sent with, by fingerprints. */
struct sent_with {
	uint64_t prints[MAX_USED_KEYS];
	uint32_t count;
};

/* The keys of one direction of one stream, by their cells; 0: none. Those before |now| are kept,
 * for a party that goes back to one must find the roll-over counter where it was; one that was used
 * longer ago is not taken again for sending, since it would repeat its key stream (RFC 3711 9.1).
 */
struct keys {
	uint32_t now;	 /* 0: packets are not protected */
	uint32_t before; /* the latest first */
	uint32_t sent_with;
	uint32_t most_before;
};

struct port {
	/* Read for every packet. */
	uint32_t slot;
	uint32_t peer; /* bridged to */
	uint32_t stream_readers;
	uint32_t via_readers;
	uint32_t run;
	bool dirty; /* its log has what readers have not seen */
	bool heard; /* a valid RTP packet came */
	bool silent;
	bool dtls;    /* is handed over */
	bool whole;   /* nothing of it is just being changed */
	bool resumed; /* nothing came yet since a process was followed by this one */
	bool raw;     /* from here to |remote|: as in struct rtpfork_party */
	bool learn;
	bool rtcp_mux;
	uint8_t event_type_count;
	uint8_t event_types[RTPFORK_MAX_EVENT_TYPES];
	uint32_t clock_rate;
	struct rtpfork_address remote;
	uint64_t last_rtp_ns;
	struct rtpfork_log *log;
	struct rtpfork_address latched; /* the learned source */
	struct keys receive;
	struct keys send;
	struct rtpfork_source source;
	struct rtpfork_port_counters counters;
	uint64_t raw_received;
	uint64_t missed; /* relayed by the I/O, which could not tell of them */
	struct rtpfork_told told;
	struct tone tone; /* that its party hears */
	/* Read now and then. */
	struct rtpfork_address latched_rtcp;
	struct rtpfork_address rtcp_target; /* as signalled, or the port after the RTP's */
	struct rtpfork_address latched_for; /* what was signalled last, holds apart */
	uint64_t dtmf_due_ns; /* when DTMF would be due that came as fast as is reported */
	uint64_t dtls_due_ns; /* likewise, of DTLS that is handed over */
	struct rtpfork_event_tracker tracker;
	struct speech {
		struct rtpfork_announcement what; /* without a sound: none */
		uint32_t sound;			  /* its number, which outlives the process */
		size_t position;
		uint64_t next_ns;
	} speech;
};

struct fork {
	struct rtpfork_reader reader;
	uint32_t stream; /* slot of the port it reads */
	uint32_t via;	 /* slot of the port it sends from */
	uint32_t next_of_stream;
	uint32_t next_of_via;
	bool whole; /* nothing of it is just being changed */
	bool rtcp_mux;
	bool rtcp_begun;    /* whether copies go out has been said; nothing is sent before */
	bool rtcp_reported; /* a report was sent */
	uint64_t next_report_ns;
	uint64_t last_notice_ns;      /* of a report */
	uint64_t last_unreachable_ns; /* noticed */
	uint64_t last_rtcp_ns;	      /* of the SRS; 0: it never sent any */
	bool rtcp_silent;
	bool collided; /* noticed; not again for where it sends to now */
	bool no_rtcp;
	uint64_t sent_before; /* delivered at the last report */
	uint64_t sent_before_that;
	uint32_t average_rtcp_bytes;
	struct rtpfork_address remote;
	struct rtpfork_address remote_rtcp;
	char cname[RTPFORK_MAX_CNAME_BYTES + 1];
	struct keys receive;
	struct keys send;
};

/* Of one port or reader. */
union books {
	struct rtpfork_port_counters port;
	struct rtpfork_reader_counters reader;
};

#define OUT_BYTES (RTPFORK_MAX_DATAGRAM_BYTES + 64)

/* The beginning of the memory of a core. Nothing in that memory points to anything of value after
 * the process has ended: slots, cells and sounds are named by numbers, and the rest is set anew by
 * rtpfork_core_resume(). */
struct rtpfork_core {
	struct rtpfork_core_options options;
	bool own_memory;
	struct rtpfork_crypto *crypto;
	struct rtpfork_table port_ids;
	struct rtpfork_table fork_ids;
	struct port *ports;
	struct fork *forks;
	struct pool keys;      /* as many as all ports and readers hold: none is refused */
	struct pool sent_with; /* likewise */
	struct {
		uint32_t capacity;
		uint64_t count; /* ever; the next is written there, round and round */
		uint64_t *ids;	/* 0: none */
		union books *books;
	} ended;
	uint32_t *dirty; /* slots of ports */
	size_t dirty_count;
	uint32_t *changed; /* slots of ports whose flow may be another */
	bool *is_changed;  /* by slot: it is in there */
	size_t changed_count;
	uint32_t *speaking; /* slots of ports with an announcement */
	size_t speaking_count;
	struct rtpfork_out *outs;
	uint8_t (*buffers)[OUT_BYTES]; /* one an out */
	size_t out_count;
	uint8_t mixed[RTPFORK_MAX_DATAGRAM_BYTES]; /* a packet with tone that is still to be
						      encrypted */
	uint64_t random;
};

/* outs */

static inline bool core_has_room(const struct rtpfork_core *core)
{
	return core->out_count < core->options.max_outs;
}

/* The next out and its buffer; it counts once core_queue() is called. There must be room. */
static inline struct rtpfork_out *core_next_out(struct rtpfork_core *core, uint8_t **buffer)
{
	*buffer = core->buffers[core->out_count];
	return &core->outs[core->out_count];
}

static inline void core_queue(struct rtpfork_core *core)
{
	core->out_count++;
}

/* What is being changed by a command is not whole meanwhile: a process that takes this memory up
 * does not trust it. */
static inline void core_begin_change(bool *whole)
{
	*whole = false;
	in_order();
}

static inline void core_end_change(bool *whole)
{
	in_order();
	*whole = true;
}

/* keys */

/* The present key, which there must be. */
static inline struct rtpfork_srtp_key *core_key(const struct rtpfork_core *core,
						const struct keys *keys)
{
	struct held_key *held = pool_at(&core->keys, keys->now);
	return &held->key;
}

/* Make |core| one of |options| over tables that are empty, or as a process has left them which this
 * one has |resumed|: RTPFORK_EDAMAGED when that cannot be. On failure the caller frees it. */
int core_set_up(struct rtpfork_core *core, const struct rtpfork_core_options *options,
		bool resumed);

/* shared steps */

/* Where RTP for the party of |port| goes; unknown: nowhere. */
const struct rtpfork_address *core_rtp_target(const struct port *port);

/* Note that the flow of |port|, or of it and its peer, may be another. */
void core_touch(struct rtpfork_core *core, struct port *port);
void core_touch_both(struct rtpfork_core *core, struct port *port);

/* Whether the payload of what |port| receives may be kept: some reader of it copies, or there is
 * none that would not. What is said in a pause, such as a card number, is in no memory of ours: its
 * header is, for the books. */
bool core_may_keep(const struct rtpfork_core *core, const struct port *port);

static inline void core_notify(struct rtpfork_core *core, const struct rtpfork_notice *notice)
{
	core->options.notify(core->options.owner, notice);
}

/* Count a datagram that could not be opened. */
static inline void core_count_refused(struct port *port, int error)
{
	if (error == RTPFORK_EAUTH || error == RTPFORK_ECLEAR)
		port->counters.dropped_auth++;
	else if (error == RTPFORK_EREPLAY)
		port->counters.dropped_replay++;
	else
		port->counters.dropped_malformed++;
}

/* Uniform over 32 bits; only to spread RTCP intervals. */
uint32_t core_random(struct rtpfork_core *core);

/* End the announcement of |port| where it is. */
void core_silence(struct rtpfork_core *core, struct port *port);

/* The reader's RTCP from the SRS: whether |in| was that. */
bool core_receive_from_srs(struct rtpfork_core *core, struct port *port,
			   const struct rtpfork_in *in);

/* Begin the reports of a reader that is live for the first time (RFC 3550 6.2: half an interval).
 */
void core_begin_reports(struct rtpfork_core *core, struct fork *fork, uint64_t now_ns);

/* Queue a compound RTCP packet of |fork|; without room nothing is queued. */
void core_queue_report(struct rtpfork_core *core, uint32_t slot, uint64_t now_ns, bool bye);

/* Say at most once a second that the SRS's port is closed. */
void core_notice_unreachable(struct rtpfork_core *core, uint32_t slot, uint64_t now_ns);

/* Notice that a socket of |port| answered that nobody listens at its peer. */
void core_unreachable(struct rtpfork_core *core, const struct port *port, bool rtcp,
		      uint64_t now_ns);

/* Report the DTMF that |ended|, or count it when too much of it comes. */
void core_notice_dtmf(struct rtpfork_core *core, struct port *port, uint64_t now_ns,
		      const struct rtpfork_event_ended *ended);

/* Keep the last books of one that ends, and of how many. */
void core_port_ended(struct rtpfork_core *core, uint64_t id,
		     const struct rtpfork_port_counters *counters);
void core_reader_ended(struct rtpfork_core *core, uint64_t id,
		       const struct rtpfork_reader_counters *counters);
uint32_t core_most_ended(const struct rtpfork_core_options *options);

/* The books of |port| as they are told. */
void core_read_port(const struct port *port, struct rtpfork_port_counters *counters);

/* How many keys all ports and readers hold, and what they were sent with. */
uint32_t core_most_keys(const struct rtpfork_core_options *options);
uint32_t core_most_sent_with(const struct rtpfork_core_options *options);

/* Protect by |sdes| from now on; without a suite, by nothing. The present key, or one remembered,
 * goes on where it was. RTPFORK_EKEYSPENT: it was sent with longer ago; RTPFORK_ECRYPTO. Then
 * nothing was changed. */
int core_set_key(struct rtpfork_core *core, struct keys *keys, const struct rtpfork_sdes *sdes,
		 enum rtpfork_srtp_direction direction);

/* Wipe |keys| and what is remembered of them. */
void core_clear_keys(struct rtpfork_core *core, struct keys *keys);

#endif

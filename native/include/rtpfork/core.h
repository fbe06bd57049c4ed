/* The packet path of one thread, without I/O: datagrams and time go in, datagrams and notices come
 * out.
 *
 * A port is an RTP and an RTCP socket of the caller, known here by its slot. Ports are bridged in
 * pairs; what one receives is relayed first, then copied to the log of its stream, from which
 * readers send to their SRS through a port of their own (|via|).
 *
 * One thread uses a core. After rtpfork_core_new() nothing allocates, blocks or locks. The caller's
 * turn is: receive up to rtpfork_core_room() datagrams, fork, send all outs, settle, until fork
 * says that nothing is left; tick now and then; and change ports and readers only between two
 * turns. */
#ifndef RTPFORK_CORE_H
#define RTPFORK_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtpfork/address.h"
#include "rtpfork/errors.h"
#include "rtpfork/log.h"
#include "rtpfork/reader.h"
#include "rtpfork/sound.h"
#include "rtpfork/srtp.h"

#define RTPFORK_MAX_DATAGRAM_BYTES 2048 /* longer ones are dropped as malformed */
#define RTPFORK_MAX_EVENT_TYPES	   8	/* telephone-event payload types of one party */
#define RTPFORK_MAX_CNAME_BYTES	   128
#define RTPFORK_MAX_TONE_TYPES	   4 /* payload types into which a tone is mixed */

struct rtpfork_core;
struct rtpfork_notice;
struct rtpfork_handed;

/* what is configured */

/* A master key with its salt; |suite| NULL: none. */
struct rtpfork_sdes {
	const struct rtpfork_srtp_suite *suite;
	uint8_t material[RTPFORK_SRTP_MATERIAL_BYTES];
	bool joined;	 /* to receive: its sender has used it before (rtpfork_srtp_key_join()) */
	bool rtcp_apart; /* RTCP is protected by |rtcp_material|: a handshake of its own
			    (RFC 5764 3) */
	uint8_t rtcp_material[RTPFORK_SRTP_MATERIAL_BYTES];
};

/* Who is at the other end of a port. */
struct rtpfork_party {
	bool raw;   /* relay any datagram as it is; nothing is recorded */
	bool learn; /* the first valid source is the party (NAT); else only |remote| is */
	bool rtcp_mux;
	struct rtpfork_address remote;		      /* unknown: nothing is sent to the party */
	struct rtpfork_address remote_rtcp;	      /* unknown: the port after |remote|'s */
	uint8_t event_types[RTPFORK_MAX_EVENT_TYPES]; /* RFC 4733 payload types */
	size_t event_type_count;
	uint32_t clock_rate;
	struct rtpfork_sdes receive_key;
	struct rtpfork_sdes send_key;
};

/* What the party of a port hears over its peer, at once and then in intervals. */
struct rtpfork_tone {
	const struct rtpfork_sound *sound; /* NULL: nothing */
	uint64_t interval_ns;		   /* from beginning to beginning */
	bool recorded;			   /* readers of the peer's stream hear it too */
	size_t type_count;
	struct {
		uint8_t payload_type;
		enum rtpfork_law law;
	} types[RTPFORK_MAX_TONE_TYPES]; /* packets of others pass as they are */
};

/* A sound that the party of a port hears once, as a stream of its own. */
struct rtpfork_announcement {
	const struct rtpfork_sound *sound;
	enum rtpfork_law law;
	uint8_t payload_type;
	uint16_t first_sequence;
	uint32_t first_timestamp;
	uint32_t ssrc;
};

/* Where and how a reader sends; may change while it runs. */
struct rtpfork_target {
	bool rtcp_mux;
	bool no_rtcp; /* the SRS has no bandwidth for it (RFC 3556 2) */
	bool events;
	struct rtpfork_address remote;
	struct rtpfork_address remote_rtcp; /* unknown: the port after |remote|'s */
	uint8_t map[RTPFORK_PAYLOAD_TYPES]; /* RTPFORK_UNMAPPED: not accepted by the SRS */
	bool keep_keys;			    /* of an update: the keys stay as they are */
	struct rtpfork_sdes receive_key;    /* of the SRS's SRTCP */
	struct rtpfork_sdes send_key;
};

/* What a reader is for all its life. */
struct rtpfork_identity {
	uint32_t ssrc;
	uint32_t clock_rate;
	uint32_t first_timestamp;
	uint16_t first_sequence;
	char cname[RTPFORK_MAX_CNAME_BYTES + 1];
};

struct rtpfork_core_options {
	uint32_t thread; /* becomes part of every id */
	uint32_t max_ports;
	uint32_t max_readers;
	uint32_t max_outs;	 /* datagrams between two flushes */
	uint64_t silence_ns;	 /* without RTP for so long, a port is silent */
	uint64_t unix_offset_ns; /* Unix time minus the caller's |now_ns|, the same for all threads
				  */
	uint64_t random_seed;	 /* of the RTCP intervals only */
	void *memory; /* where it lives: rtpfork_core_bytes() of zeros, aligned to 64; NULL: its own
		       */
	const struct rtpfork_sounds *sounds; /* those of |memory|; NULL: none */
	/* Called in place. */
	void (*notify)(void *owner, const struct rtpfork_notice *notice);
	void (*hand_over)(void *owner, const struct rtpfork_handed *handed);
	void *owner;
};

/* what comes out */

struct rtpfork_port_counters {
	uint64_t received;
	uint64_t received_octets;
	uint64_t relayed;
	uint64_t appended;
	uint64_t lost;
	uint64_t duplicate;
	uint64_t reordered;
	uint64_t jitter_us;
	uint64_t rtcp_received;
	uint64_t rtcp_relayed;
	uint64_t raw_relayed;
	uint64_t dropped_foreign;
	uint64_t dropped_malformed;
	uint64_t dropped_auth;
	uint64_t dropped_replay;
	uint64_t dropped_unbridged;
	uint64_t dropped_full;	  /* the kernel had no room to relay it */
	uint64_t dropped_send;	  /* it could not be protected, or sent for another reason */
	uint64_t dropped_restart; /* taken by a process that ended before it was sent for all we
				     know */
	uint64_t lost_restart;	  /* of |lost|: from before such a process to after it */
	uint64_t dtmf_unreported; /* events beyond 50 a second */
	uint64_t tones;		  /* begun in what the party was sent */
};

enum rtpfork_notice_kind {
	RTPFORK_NOTICE_FIRST_PACKET,
	RTPFORK_NOTICE_DTMF,
	RTPFORK_NOTICE_SILENCE,
	RTPFORK_NOTICE_REPORT,
	RTPFORK_NOTICE_UNREACHABLE,
	RTPFORK_NOTICE_ANNOUNCED, /* an announcement has come to its end */
	RTPFORK_NOTICE_RTCP_SILENCE,
	RTPFORK_NOTICE_COLLISION, /* the reader's SRS sends RTCP under the reader's SSRC */
};

struct rtpfork_notice {
	enum rtpfork_notice_kind kind;
	uint64_t id; /* port of those above REPORT and of ANNOUNCED, reader of the others */
	union {
		struct {
			uint8_t payload_type;
			uint32_t ssrc;
			struct rtpfork_address source;
		} first;
		struct {
			uint8_t code; /* RFC 4733 */
			uint32_t duration_ms;
		} dtmf;
		bool silent; /* a port without RTP, a reader's SRS without RTCP */
		struct {
			uint8_t fraction_lost; /* of 256 */
			bool round_trip_known;
			int32_t cumulative_lost;
			uint64_t jitter_us;
			uint64_t round_trip_us;
		} report;
	};
};

/* A datagram of a DTLS handshake with an SRS, which is not this library's affair (RFC 5764 5.1). */
struct rtpfork_handed {
	uint64_t port;
	bool rtcp; /* came on the RTCP socket */
	struct rtpfork_address from;
	size_t bytes;
	uint8_t data[RTPFORK_MAX_DATAGRAM_BYTES];
};

/* How far an I/O has told of the packets of a port that it relays; it outlives the process. */
struct rtpfork_told {
	uint64_t to;	 /* the last place, which grows with each packet; 0: nothing was told */
	uint64_t missed; /* how often there was no room, ever since |to| is counted */
};

struct rtpfork_in {
	uint32_t port; /* slot */
	bool rtcp;     /* came on the RTCP socket */
	int error;     /* not 0: no datagram, the socket says that nobody listens at its peer */
	struct rtpfork_address from;
	uint8_t *data; /* decrypted in place; borrowed until the outs are settled */
	size_t bytes;
	uint64_t now_ns;
	/* RTP of a flow, without padding, and sent on already. */
	bool relayed;
	size_t held;	 /* octets of |data|, at least its header and a telephone event */
	uint64_t missed; /* packets sent on before it of which nothing is known; |bytes| may be 0 */
	struct rtpfork_told told; /* with it */
};

/* What a port receives, where it only has to be passed on. */
struct rtpfork_flow {
	struct rtpfork_address source; /* the only one that is heard */
	uint32_t from;		       /* slot of the port that sends */
	struct rtpfork_address to;
	bool keep; /* payloads are wanted too, for a reader that copies */
};

enum rtpfork_out_kind {
	RTPFORK_OUT_RTP,  /* relayed; |owner| is the port that received it */
	RTPFORK_OUT_RTCP, /* likewise */
	RTPFORK_OUT_RAW,  /* likewise */
	RTPFORK_OUT_FORK, /* |owner| is the reader */
	RTPFORK_OUT_REPORT,
	RTPFORK_OUT_BYE,    /* the reader is gone */
	RTPFORK_OUT_DTLS,   /* nobody's */
	RTPFORK_OUT_SPEECH, /* of an announcement */
};

struct rtpfork_out {
	uint32_t port; /* slot of the socket pair to send from */
	bool rtcp;     /* from the RTCP socket */
	enum rtpfork_out_kind kind;
	uint32_t owner; /* slot */
	uint32_t bytes;
	uint32_t payload_bytes;
	const struct rtpfork_address *to;
	const uint8_t *data;
	int error; /* for the sender to set: 0 or errno */
};

/* life */

/* RTPFORK_EARGUMENT, RTPFORK_ENOMEM or RTPFORK_ECRYPTO: nothing was made. Slow: libcrypto. */
int rtpfork_core_new(const struct rtpfork_core_options *options, struct rtpfork_core **out);

/* How much memory a core of these options wants. */
size_t rtpfork_core_bytes(const struct rtpfork_core_options *options);

/* Go on with what a core of the same options has left in |options->memory|, wherever it was
 * stopped. Whatever was just being changed is closed, each datagram that was under way is counted
 * in dropped_restart, no key stream is begun again. Logs are made anew, of |log_packets| and
 * |log_bytes|. RTPFORK_EDAMAGED: that memory is not sound, and of no use any more; else as
 * rtpfork_core_new(). */
int rtpfork_core_resume(const struct rtpfork_core_options *options, size_t log_packets,
			size_t log_bytes, struct rtpfork_core **out);

/* Visit the open ports and readers: the ids from |*slot| on, which begins at 0. 0: no more. */
uint64_t rtpfork_core_each_port(const struct rtpfork_core *core, uint32_t *slot);
uint64_t rtpfork_core_each_reader(const struct rtpfork_core *core, uint32_t *slot);

/* The port with which |port| is bridged, and those between which |reader| is; 0: none. */
uint64_t rtpfork_core_peer(const struct rtpfork_core *core, uint64_t port);
void rtpfork_core_ends(const struct rtpfork_core *core, uint64_t reader, uint64_t *stream,
		       uint64_t *via);

/* Wipe and free everything; logs included. NULL is allowed. */
void rtpfork_core_free(struct rtpfork_core *core);

/* ports and readers; RTPFORK_EGONE: an id is stale, nothing was changed */

/* Add a port. RTPFORK_EEXHAUSTED: max_ports are open. */
int rtpfork_core_open(struct rtpfork_core *core, uint64_t *port, uint32_t *slot);

/* The slot of an open port. */
int rtpfork_core_slot(const struct rtpfork_core *core, uint64_t port, uint32_t *slot);

/* Say who is at the other end. The same key again, at once or after another or none, keeps its
 * roll-over counter (RFC 4568 7.1.4), as long as it is among the last four to be sent with; the
 * same address again keeps what was learned. RTPFORK_EKEYSPENT: |send_key| was in use before these
 * (RFC 3711 9.1); RTPFORK_ECRYPTO: libcrypto failed. Then nothing but keys was changed. */
int rtpfork_core_connect(struct rtpfork_core *core, uint64_t id, const struct rtpfork_party *party);

/* Hand DTLS that comes to port |id| over from now on, at most 100 datagrams a second, whoever sent
 * it: for ports towards an SRS. */
int rtpfork_core_take_dtls(struct rtpfork_core *core, uint64_t id);

/* Queue one datagram of a handshake. |to| and |data| are borrowed until the outs are settled. There
 * must be room. */
int rtpfork_core_send_dtls(struct rtpfork_core *core, uint64_t id, bool rtcp,
			   const struct rtpfork_address *to, const uint8_t *data, size_t bytes);

/* Relay between |a| and |b|; a bridge that either had ends. RTPFORK_EARGUMENT: they are one. */
int rtpfork_core_bridge(struct rtpfork_core *core, uint64_t a, uint64_t b);

/* Have the party of |port| hear a tone from its next packet on; the sound must outlive the port.
 * The same sound again keeps its intervals. RTPFORK_EARGUMENT: too many types. */
int rtpfork_core_set_tone(struct rtpfork_core *core, uint64_t port,
			  const struct rtpfork_tone *tone);

/* Speak to the party of |port| from now on, 20 ms a packet; what it was being told breaks off. A
 * notice tells the end. What it is being told under the same SSRC goes on. The sound must outlive
 * the port. RTPFORK_EARGUMENT: no sound. */
int rtpfork_core_announce(struct rtpfork_core *core, uint64_t port,
			  const struct rtpfork_announcement *what, uint64_t now_ns);

/* Queue what announcements have to send by |now_ns|. True: there was no room, flush and go on. */
bool rtpfork_core_speak(struct rtpfork_core *core, uint64_t now_ns);

/* When that has more to send; UINT64_MAX: no announcement. */
uint64_t rtpfork_core_speaks_at(const struct rtpfork_core *core);

/* Copy what port |stream_id| receives to |target| from port |via_id|, paused. |*log| becomes the
 * stream's if it has none yet (then |*log| is NULL afterwards). RTPFORK_EEXHAUSTED: no reader is
 * free. */
int rtpfork_core_attach(struct rtpfork_core *core, uint64_t stream_id, uint64_t via_id,
			const struct rtpfork_identity *identity,
			const struct rtpfork_target *target, struct rtpfork_log **log,
			uint64_t *reader);
int rtpfork_core_update(struct rtpfork_core *core, uint64_t reader,
			const struct rtpfork_target *target);
/* Reports begin with the first call, also while no packet is copied (RFC 3264 6.1, RFC 6263 5). */
int rtpfork_core_set_live(struct rtpfork_core *core, uint64_t reader, bool live, uint64_t now_ns);

/* End a reader; a BYE is queued if it ever sent (RFC 3550 6.6, 6.3.7) and there is room for it. The
 * log of a stream without readers is pushed on the chain |*garbage| for the caller to free. */
int rtpfork_core_detach(struct rtpfork_core *core, uint64_t reader, uint64_t now_ns,
			struct rtpfork_reader_counters *counters, struct rtpfork_log **garbage);

/* Close a port: its bridge and all readers on it end. Its slot may be given out again by the next
 * rtpfork_core_open(), so the BYEs must leave before its sockets close. */
int rtpfork_core_close(struct rtpfork_core *core, uint64_t id, uint64_t now_ns,
		       struct rtpfork_port_counters *counters, struct rtpfork_log **garbage);

/* The last books of one that ended not long ago. RTPFORK_EGONE: it lives, or never did, or is
 * forgotten. */
int rtpfork_core_ended_port(const struct rtpfork_core *core, uint64_t port,
			    struct rtpfork_port_counters *counters);
int rtpfork_core_ended_reader(const struct rtpfork_core *core, uint64_t reader,
			      struct rtpfork_reader_counters *counters);

int rtpfork_core_port_counters(const struct rtpfork_core *core, uint64_t id,
			       struct rtpfork_port_counters *counters);
int rtpfork_core_reader_counters(const struct rtpfork_core *core, uint64_t reader,
				 struct rtpfork_reader_counters *counters);

/* The slot of the port that |reader| sends from. */
int rtpfork_core_via(const struct rtpfork_core *core, uint64_t reader, uint32_t *slot);

/* The one address to which all readers on port |slot| send by its RTP or RTCP socket, so that it
 * can be connected to it; NULL when there is none or more than one, or the port has a party. */
const struct rtpfork_address *rtpfork_core_aim(const struct rtpfork_core *core, uint32_t slot,
					       bool rtcp);

/* the flows */

/* A port that may be another flow than it was, or none; false: there is none of which it was not
 * said. To be asked after every turn and every change. */
bool rtpfork_core_changed(struct rtpfork_core *core, uint32_t *slot);

/* Whether whoever has |*flow| could pass on by himself what port |slot| receives as RTP from its
 * source, telling the core of each packet: neither SRTP nor tone nor learning is in the way. */
bool rtpfork_core_flow(const struct rtpfork_core *core, uint32_t slot, struct rtpfork_flow *flow);

/* the packet path */

/* How many datagrams may be received before the outs must be sent. */
size_t rtpfork_core_room(const struct rtpfork_core *core);

/* Fetch what the next |count| datagrams need into the caches: cheaper than each waiting for it. */
void rtpfork_core_expect(const struct rtpfork_core *core, const struct rtpfork_in *ins,
			 size_t count);

/* What was told of port |slot|; the caller may begin it anew. */
struct rtpfork_told *rtpfork_core_told(struct rtpfork_core *core, uint32_t slot);

/* Take one datagram; queues at most one out. There must be room. */
void rtpfork_core_receive(struct rtpfork_core *core, const struct rtpfork_in *in);

/* Queue what the readers have not sent yet. True: room ran out, send and call again. */
bool rtpfork_core_fork(struct rtpfork_core *core);

/* Queue RTCP reports that are due and notice silence. True: as above. */
bool rtpfork_core_tick(struct rtpfork_core *core, uint64_t now_ns);

/* The datagrams to send, in this order; |error| of each is for the caller to set. */
struct rtpfork_out *rtpfork_core_outs(struct rtpfork_core *core, size_t *count);

/* Account what became of the outs and forget them. */
void rtpfork_core_settle(struct rtpfork_core *core, uint64_t now_ns);

#endif

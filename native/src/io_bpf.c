/* Plain flows are relayed by the program in the kernel (relay.h), which puts each packet into the
 * ring of this thread. Everything else comes from sockets, and all that is sent goes by
 * rtpfork_io_packet. */
#include "io.h"

#ifdef RTPFORK_BPF_OBJECT

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf_ring.h"
#include "clock.h"
#include "paths.h"
#include "relay.h"
#include "relay_flow.h"

#define NS_PER_S   1000000000ULL
#define LISTEN_NS  10000000ULL /* how often the kernel's news are read */
#define REVIEW_NS  NS_PER_S    /* so often flows without a path are looked at again */
#define COPY_MS	   2	       /* how long packets wait in the ring for their copies to go out, */
#define BOOKS_MS   20	       /* and for the books alone */
#define SWEEP_NS   (5 * NS_PER_S) /* so long what a process before this one relayed may go on */
#define SWEEP_MOST 64
#define LATE_MOST  512 /* datagrams that may come to a socket while its flow enters the kernel */

struct served {
	struct rtpfork_address local; /* of RTP; unknown: of every address, the kernel chooses */
	int fd;
	bool wanted;	/* |flow| is to be relayed, */
	bool placed;	/* and |place| is in the kernel's map */
	uint16_t late;	/* so often its socket may still be asked for older packets */
	bool inherited; /* |place| is a process's before this one, whose path is not known yet */
	uint64_t cookie;
	uint64_t told_to; /* what is before this place in the ring was told by that process */
	uint64_t turn;	  /* in which the last packet was told */
	uint64_t missed;  /* that were told */
	struct rtpfork_flow flow;
	struct relay_flow place;
};

struct bpf_io {
	void *packet; /* of rtpfork_io_packet */
	struct relay *relay;
	bool may_relay;
	uint32_t thread;
	uint32_t first_slot; /* of those of all threads */
	uint32_t max_slots;
	size_t batch;
	struct paths *paths;
	struct bpf_ring ring;
	const uint64_t *missed; /* by slot */
	struct served *served;	/* likewise */
	uint32_t high_water;
	size_t wanted_count;
	size_t copied_count; /* of those, whose payload is recorded */
	bool hearing;	     /* the ring is just read to its end, */
	uint64_t hear_to;    /* as it was when that began: it may be filled as fast as it is read */
	uint32_t leaving;    /* a slot whose last misses are to be told; max_slots: none */
	uint64_t turn;
	uint64_t turn_ns; /* when its wait ended */
	uint64_t last_cookie;
	uint64_t listen_ns;
	uint64_t review_ns;
	uint32_t reviewed; /* version of the paths */
	uint64_t claim_ns; /* until then the flows of a process before this one may go on */
	bool swept_all;
	uint32_t swept;
};

/* life */

static void bpf_close(void *self)
{
	struct bpf_io *io = self;
	if (!io)
		return;
	rtpfork_io_packet.close(io->packet);
	bpf_ring_close(&io->ring);
	paths_free(io->paths);
	free(io->served);
	free(io);
}

static int bpf_open(void **out, uint32_t max_slots, size_t batch, int wake_fd)
{
	struct bpf_io *io = calloc(1, sizeof *io);
	if (!io)
		return RTPFORK_ENOMEM;
	io->max_slots = max_slots;
	io->batch = batch;
	io->may_relay = true;
	io->leaving = max_slots;
	/* Half of a batch, so that neither sockets nor ring starve the other. */
	int result = rtpfork_io_packet.open(&io->packet, max_slots, batch / 2, wake_fd);
	io->served = calloc(max_slots, sizeof *io->served);
	io->paths = paths_new();
	if (result == 0 && (!io->served || !io->paths))
		result = RTPFORK_ENOMEM;
	if (result != 0) {
		bpf_close(io);
		return result;
	}
	*out = io;
	return 0;
}

static int bpf_join(void *self, struct relay *relay, uint32_t thread)
{
	struct bpf_io *io = self;
	io->relay = relay;
	io->thread = thread;
	io->first_slot = relay_slot(relay, thread, 0);
	io->missed = relay_missed(relay, thread);
	io->turn_ns = clock_now_ns();
	io->last_cookie = io->turn_ns; /* beyond those of any process before */
	io->claim_ns = io->turn_ns + SWEEP_NS;
	return bpf_ring_open(&io->ring, relay_ring(relay, thread), RELAY_RING_BYTES);
}

/* sockets */

static bool is_every_address(const struct rtpfork_address *address)
{
	static const struct in6_addr every;
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == INADDR_ANY;
	return memcmp(&address->v6.sin6_addr, &every, sizeof every) == 0;
}

static int bpf_add(void *self, uint32_t slot, const int fds[2])
{
	struct bpf_io *io = self;
	struct served *served = &io->served[slot];
	memset(served, 0, sizeof *served);
	socklen_t bytes = sizeof served->local;
	if (getsockname(fds[0], &served->local.any, &bytes) != 0)
		return RTPFORK_ESYSTEM;
	if (is_every_address(&served->local))
		memset(&served->local, 0, sizeof served->local);
	relay_flow_begin(&served->place, &served->local);
	served->fd = fds[0];
	served->cookie = ++io->last_cookie;
	served->missed = __atomic_load_n(&io->missed[slot], __ATOMIC_RELAXED);
	if (slot >= io->high_water)
		io->high_water = slot + 1;
	return rtpfork_io_packet.add(io->packet, slot, fds);
}

static bool bpf_adopt(void *self, uint32_t slot, const struct rtpfork_told *told)
{
	struct bpf_io *io = self;
	struct served *served = &io->served[slot];
	struct relay_flow left;
	if (!relay_resumed(io->relay) || !rtpfork_address_known(&served->local) ||
	    relay_find(io->relay, &served->place, &left) != 0 ||
	    left.slot != io->first_slot + slot || left.thread != io->thread)
		return false;
	served->cookie = left.cookie;
	served->place = left;
	served->placed = served->inherited = true;
	served->told_to = told->to;
	if (told->to != 0)
		served->missed = told->missed;
	return true;
}

/* Also when it was not placed: by a process before this one it may have been. */
static void take_away(const struct bpf_io *io, struct served *served)
{
	relay_drop(io->relay, &served->place);
	served->placed = served->inherited = false;
	served->late = 0;
}

static void want(struct bpf_io *io, struct served *served, const struct rtpfork_flow *flow)
{
	io->wanted_count -= served->wanted;
	io->copied_count -= served->wanted && served->flow.keep;
	served->wanted = flow != NULL;
	if (flow)
		served->flow = *flow;
	io->wanted_count += served->wanted;
	io->copied_count += served->wanted && served->flow.keep;
}

static void bpf_remove(void *self, uint32_t slot, int fds[2])
{
	struct bpf_io *io = self;
	want(io, &io->served[slot], NULL);
	take_away(io, &io->served[slot]);
	memset(&io->served[slot], 0, sizeof io->served[slot]);
	rtpfork_io_packet.remove(io->packet, slot, fds);
}

static void bpf_aim(void *self, uint32_t slot, bool rtcp, const struct rtpfork_address *address)
{
	struct bpf_io *io = self;
	rtpfork_io_packet.aim(io->packet, slot, rtcp, address);
}

static void bpf_send(void *self, struct rtpfork_out *outs, size_t count)
{
	struct bpf_io *io = self;
	rtpfork_io_packet.send(io->packet, outs, count);
}

/* flows */

static bool has_waiting(const struct served *served)
{
	uint8_t octet;
	return recv(served->fd, &octet, sizeof octet, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Whether the flow of |served|, which sends from |from|, is one that can be relayed at all. */
static bool is_plain(const struct bpf_io *io, const struct served *served,
		     const struct rtpfork_address *from)
{
	int family = served->local.any.sa_family;
	return io->may_relay && rtpfork_address_known(&served->local) &&
	       rtpfork_address_known(from) && from->any.sa_family == family &&
	       served->flow.to.any.sa_family == family;
}

/* Whether what is in the kernel may stay there until its path is known. */
static bool may_stay(const struct bpf_io *io, const struct served *served,
		     const struct rtpfork_address *from, uint64_t at_ns)
{
	static const struct path unknown;
	struct relay_flow wanted;
	if (!served->inherited || at_ns >= io->claim_ns)
		return false;
	relay_flow_make(&wanted, &served->local, &served->flow, from, &unknown);
	return relay_flow_same_ends(&wanted, &served->place);
}

/* Place the flow of |slot|, or take it away while it has no path. */
static void place(struct bpf_io *io, uint32_t slot, uint64_t at_ns)
{
	struct served *served = &io->served[slot];
	const struct rtpfork_address *from = &io->served[served->flow.from].local;
	if (!is_plain(io, served, from)) {
		if (served->placed)
			take_away(io, served);
		return;
	}
	const struct path *path = paths_look(io->paths, from, &served->flow.to, at_ns);
	const struct path *back =
		paths_look(io->paths, &served->local, &served->flow.source, at_ns);
	if (!path || !back) {
		if (served->placed && !may_stay(io, served, from, at_ns))
			take_away(io, served);
		return;
	}
	struct relay_flow wanted;
	served->inherited = false;
	relay_flow_make(&wanted, &served->local, &served->flow, from, path);
	wanted.arrives = (uint32_t)back->interface;
	wanted.slot = io->first_slot + slot;
	wanted.thread = (uint16_t)io->thread;
	wanted.cookie = served->cookie;
	if (served->placed && memcmp(&wanted, &served->place, sizeof wanted) == 0)
		return;
	if (!served->placed && has_waiting(served)) { /* which must not be overtaken */
		io->review_ns = at_ns;
		return;
	}
	if (relay_put(io->relay, &wanted) != 0) {
		take_away(io, served);
		return;
	}
	if (!served->placed)
		served->late = LATE_MOST;
	served->place = wanted;
	served->placed = true;
}

static void bpf_flow(void *self, uint32_t slot, const struct rtpfork_flow *flow)
{
	struct bpf_io *io = self;
	struct served *served = &io->served[slot];
	if (served->wanted && !served->placed)
		take_away(io, served); /* it may be another now */
	want(io, served, flow);
	if (flow) {
		place(io, slot, clock_now_ns());
	} else if (served->cookie != 0) {
		take_away(io, served);
		io->leaving = slot; /* it may have left the kernel before */
	}
}

static void place_all(struct bpf_io *io, uint64_t at_ns)
{
	for (uint32_t slot = 0; slot < io->high_water; slot++)
		if (io->served[slot].wanted)
			place(io, slot, at_ns);
}

static void bpf_use(void *self, enum rtpfork_io_kind most)
{
	struct bpf_io *io = self;
	io->may_relay = most == RTPFORK_IO_BPF;
	rtpfork_io_packet.use(io->packet, most);
	place_all(io, clock_now_ns());
}

/* Follow what has changed of the ways. */
static void review(struct bpf_io *io, uint64_t at_ns)
{
	if (at_ns < io->listen_ns)
		return;
	io->listen_ns = at_ns + LISTEN_NS;
	paths_listen(io->paths);
	if (io->reviewed == paths_version(io->paths) && at_ns < io->review_ns)
		return;
	io->reviewed = paths_version(io->paths);
	io->review_ns = at_ns + REVIEW_NS;
	place_all(io, at_ns);
}

static bool is_claimed(const void *self, const struct relay_flow *flow)
{
	const struct bpf_io *io = self;
	if (flow->thread != io->thread)
		return io->thread != 0 || flow->thread < relay_threads(io->relay);
	uint32_t slot = flow->slot - io->first_slot;
	return slot < io->max_slots && io->served[slot].cookie == flow->cookie;
}

/* What a process before this one relayed by this thread, and nobody has taken up. */
static void sweep(struct bpf_io *io, uint64_t at_ns)
{
	if (!io->swept_all && at_ns >= io->claim_ns)
		io->swept_all = !relay_sweep(io->relay, &io->swept, SWEEP_MOST, is_claimed, io);
}

/* what was relayed */

/* Whether its socket holds packets from before the flow was in the kernel. */
static bool is_late(struct served *served)
{
	if (served->late == 0)
		return false;
	served->late--;
	if (has_waiting(served))
		return true;
	served->late = 0;
	return false;
}

static uint64_t take_missed(const struct bpf_io *io, uint32_t slot)
{
	struct served *served = &io->served[slot];
	uint64_t before = served->missed;
	served->missed = __atomic_load_n(&io->missed[slot], __ATOMIC_RELAXED);
	return served->missed - before;
}

/* The last of a flow that is taken away: what found no room in the ring. */
static size_t tell_last(struct bpf_io *io, struct rtpfork_in *in)
{
	uint32_t slot = io->leaving;
	io->leaving = io->max_slots;
	if (slot == io->max_slots)
		return 0;
	*in = (struct rtpfork_in){.port = slot, .relayed = true, .now_ns = io->turn_ns};
	in->missed = take_missed(io, slot);
	in->told = (struct rtpfork_told){io->ring.at + 1, io->served[slot].missed};
	return in->missed != 0;
}

/* Fill at most |room|, one of each port; up to what |may_wait| for what came before it. */
static size_t tell(struct bpf_io *io, struct rtpfork_in *ins, size_t room, bool may_wait)
{
	size_t count = 0;
	size_t bytes = 0;
	while (count < room) {
		const struct relay_record *record = bpf_ring_next(&io->ring, &bytes);
		if (!record)
			return count;
		uint32_t slot = record->slot - io->first_slot;
		struct served *served = &io->served[slot < io->max_slots ? slot : 0];
		uint64_t at = io->ring.at;
		/* Of a port that is closed, or told by a process before this one. */
		if (served->cookie != record->cookie || at < served->told_to) {
			bpf_ring_pass(&io->ring);
			continue;
		}
		if (served->turn == io->turn || (may_wait && is_late(served)))
			return count;
		served->turn = io->turn;
		bpf_ring_pass(&io->ring);
		uint64_t missed = take_missed(io, slot);
		ins[count++] = (struct rtpfork_in){
			.port = slot,
			.from = served->flow.source,
			.data = (uint8_t *)record->data,
			.bytes = record->bytes,
			.relayed = true,
			.held = record->held,
			.missed = missed,
			.told = {.to = at + 1, .missed = served->missed},
			.now_ns = record->at_ns < io->turn_ns ? record->at_ns : io->turn_ns,
		};
	}
	return count;
}

static size_t bpf_told(void *self, struct rtpfork_in *ins)
{
	struct bpf_io *io = self;
	bpf_ring_release(&io->ring);
	io->turn++;
	if (!io->hearing)
		io->hear_to = bpf_ring_end(&io->ring);
	size_t count = io->ring.at < io->hear_to ? tell(io, ins, io->batch, false) : 0;
	if (count == 0)
		count = tell_last(io, ins);
	io->hearing = count != 0;
	return count;
}

static size_t bpf_wait(void *self, int timeout_ms, struct rtpfork_in *ins,
		       struct rtpfork_wakeup *wakeup)
{
	struct bpf_io *io = self;
	size_t bytes = 0;
	bpf_ring_release(&io->ring);
	int patience_ms = io->copied_count != 0 ? COPY_MS : BOOKS_MS;
	if (io->wanted_count != 0 && timeout_ms > patience_ms)
		timeout_ms = patience_ms;
	if (bpf_ring_next(&io->ring, &bytes))
		timeout_ms = 0;
	size_t received = rtpfork_io_packet.wait(io->packet, timeout_ms, ins, wakeup);
	for (size_t i = 0; i < received; i++)
		ins[i].relayed = false;
	io->turn++;
	io->turn_ns = wakeup->at_ns;
	received += tell(io, ins + received, io->batch - received, true);
	review(io, wakeup->at_ns);
	sweep(io, wakeup->at_ns);
	return received;
}

const struct rtpfork_io_ops rtpfork_io_bpf = {
	.name = "bpf",
	.open = bpf_open,
	.close = bpf_close,
	.add = bpf_add,
	.remove = bpf_remove,
	.aim = bpf_aim,
	.wait = bpf_wait,
	.send = bpf_send,
	.use = bpf_use,
	.join = bpf_join,
	.adopt = bpf_adopt,
	.flow = bpf_flow,
	.told = bpf_told,
};

#endif

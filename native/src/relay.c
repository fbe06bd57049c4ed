/* Loaded by libbpf; attached as a filter of tc (tc-bpf(8)), which every kernel with redirects to
 * neighbours (5.10) has. */
#include "relay.h"

#ifdef RTPFORK_BPF_OBJECT

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "rtpfork/errors.h"
#include "rtpfork/host.h"

#define NS_PER_S 1000000000ULL

/* The program as clang has made it, and its length. C has no other way to take in a file. */
// NOLINTNEXTLINE(portability-no-assembler)
__asm__(".section .rodata\n.balign 8\nrelay_object:\n.incbin \"" RTPFORK_BPF_OBJECT "\"\n"
	"relay_object_end:\n.balign 8\nrelay_object_bytes:\n.quad relay_object_end - relay_object\n"
	".previous\n");
extern const uint8_t relay_object[] __attribute__((visibility("hidden")));
extern const uint64_t relay_object_bytes __attribute__((visibility("hidden")));

/* What is pinned: what any process after this one may use, then what only one that goes on with its
 * threads does. Each ring is, too. */
static const char *const pinned[] = {"flows", "places", "missed", "rings"};
#define PINNED	    (sizeof pinned / sizeof pinned[0])
#define FOR_ANYBODY 2
#define RING_PIN    "ring%u"
#define NAME_BYTES  16

struct relay {
	char *pins;   /* NULL: none */
	bool resumed; /* rings and misses are those of a process before this one */
	struct bpf_object *object;
	int program;
	int flows;
	int places;
	int rings[RELAY_MAX_THREADS];
	uint32_t threads;
	uint32_t ports_per_thread;
	const uint64_t *missed;
	size_t missed_bytes;
	uint64_t look_ns;				/* when to look at the interfaces again */
	struct rtpfork_address hosts[RELAY_INTERFACES]; /* where calls come in */
	size_t host_count;
	struct relay_place served[RELAY_INTERFACES];
	bool fresh[RELAY_INTERFACES]; /* the filter at this place is this program */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* pins */

/* The path of one pin, in |path|. */
static void path_of(char path[PATH_MAX], const char *pins, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", pins, name);
}

static void path_of_ring(char path[PATH_MAX], const char *pins, uint32_t thread)
{
	char name[NAME_BYTES];
	snprintf(name, sizeof name, RING_PIN, thread);
	path_of(path, pins, name);
}

/* Unpin all that comes after the |kept| first. */
static void unpin_from(const char *pins, size_t kept)
{
	char path[PATH_MAX];
	for (size_t i = kept; i < PINNED; i++) {
		path_of(path, pins, pinned[i]);
		unlink(path);
	}
	for (uint32_t i = 0; i < RELAY_MAX_THREADS; i++) {
		path_of_ring(path, pins, i);
		unlink(path);
	}
}

static void unpin(const char *pins)
{
	if (!pins)
		return;
	unpin_from(pins, 0);
	rmdir(pins);
}

/* Whether all is there that threads go on with. */
static bool is_whole(const char *pins, uint32_t threads)
{
	char path[PATH_MAX];
	bool whole = true;
	for (size_t i = 0; i < PINNED; i++) {
		path_of(path, pins, pinned[i]);
		whole = whole && access(path, F_OK) == 0;
	}
	for (uint32_t i = 0; i < threads; i++) {
		path_of_ring(path, pins, i);
		whole = whole && access(path, F_OK) == 0;
	}
	return whole;
}

/* Make the directory |pins|, and the one above it. */
static int make_directory(const char *pins)
{
	struct statfs there;
	char above[PATH_MAX];
	snprintf(above, sizeof above, "%s", pins);
	char *slash = strrchr(above, '/');
	if (slash)
		*slash = '\0';
	if ((mkdir(above, 0700) != 0 && errno != EEXIST) ||
	    (mkdir(pins, 0700) != 0 && errno != EEXIST) || statfs(pins, &there) != 0)
		return RTPFORK_ESYSTEM;
	if (there.f_type == BPF_FS_MAGIC)
		return 0;
	rmdir(pins);
	rmdir(above);
	errno = ENODEV;
	return RTPFORK_ESYSTEM;
}

/* loading */

static void detach_from(const struct relay_place *place)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)place->interface,
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .handle = place->handle,
			    .priority = place->priority);
	if (place->interface != 0)
		bpf_tc_detach(&hook, &options);
}

static int map_of(const struct relay *relay, const char *name)
{
	return bpf_object__find_map_fd_by_name(relay->object, name);
}

static int load(struct relay *relay)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "siprec_relay");
	char path[PATH_MAX];
	libbpf_set_print(quiet);
	relay->object = bpf_object__open_mem(relay_object, relay_object_bytes, &options);
	if (!relay->object)
		return RTPFORK_ESYSTEM;
	for (size_t i = 0; relay->pins && i < PINNED; i++) {
		path_of(path, relay->pins, pinned[i]);
		bpf_map__set_pin_path(bpf_object__find_map_by_name(relay->object, pinned[i]), path);
	}
	bpf_map__set_max_entries(bpf_object__find_map_by_name(relay->object, "missed"),
				 relay->threads * relay->ports_per_thread);
	if (bpf_object__load(relay->object) == 0)
		return 0;
	int error = errno;
	bpf_object__close(relay->object);
	relay->object = NULL;
	errno = error;
	return RTPFORK_ESYSTEM;
}

/* Detach the program where a process before this one has attached it. */
static void detach_all(const char *pins)
{
	char path[PATH_MAX];
	struct bpf_map_info info = {0};
	uint32_t bytes = sizeof info;
	struct relay_place place;
	path_of(path, pins, "places");
	int places = bpf_obj_get(path);
	bool known = places >= 0 && bpf_obj_get_info_by_fd(places, &info, &bytes) == 0 &&
		     info.value_size == sizeof place;
	for (uint32_t i = 0; known && i < info.max_entries; i++)
		if (bpf_map_lookup_elem(places, &i, &place) == 0)
			detach_from(&place);
	if (places >= 0)
		close(places);
}

/* Load it, with what is found of a process before this one unless that is of another build. */
static int load_over(struct relay *relay)
{
	if (relay->pins && !relay->resumed)
		unpin_from(relay->pins, FOR_ANYBODY);
	if (load(relay) == 0)
		return 0;
	if (!relay->pins || errno != EINVAL)
		return RTPFORK_ESYSTEM;
	detach_all(relay->pins);
	unpin_from(relay->pins, 0);
	relay->resumed = false;
	return load(relay);
}

static int make_ring(const struct relay *relay, uint32_t thread, const char *path)
{
	int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, RELAY_RING_BYTES, NULL);
	if (ring < 0)
		return ring;
	if (bpf_map_update_elem(map_of(relay, "rings"), &thread, &ring, BPF_ANY) == 0 &&
	    (!relay->pins || bpf_obj_pin(ring, path) == 0))
		return ring;
	close(ring);
	return -1;
}

static int open_rings(struct relay *relay)
{
	char path[PATH_MAX] = "";
	for (uint32_t i = 0; i < relay->threads; i++) {
		if (relay->pins)
			path_of_ring(path, relay->pins, i);
		relay->rings[i] = relay->resumed ? bpf_obj_get(path) : make_ring(relay, i, path);
		if (relay->rings[i] < 0)
			return RTPFORK_ESYSTEM;
	}
	return 0;
}

static int map_missed(struct relay *relay)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)relay->threads * relay->ports_per_thread * sizeof *relay->missed;
	relay->missed_bytes = (bytes + page - 1) / page * page;
	void *there =
		mmap(NULL, relay->missed_bytes, PROT_READ, MAP_SHARED, map_of(relay, "missed"), 0);
	if (there == MAP_FAILED)
		return RTPFORK_ESYSTEM;
	relay->missed = there;
	return 0;
}

/* What a process before this one has attached is replaced when it is served again. */
static void read_places(struct relay *relay)
{
	relay->places = map_of(relay, "places");
	for (uint32_t i = 0; i < RELAY_INTERFACES; i++)
		bpf_map_lookup_elem(relay->places, &i, &relay->served[i]);
}

int relay_new(const char *pins, uint32_t threads, uint32_t ports_per_thread, bool resumed,
	      struct relay **out)
{
	struct relay *relay = calloc(1, sizeof *relay);
	if (!relay)
		return RTPFORK_ENOMEM;
	for (size_t i = 0; i < RELAY_MAX_THREADS; i++)
		relay->rings[i] = -1;
	relay->threads = threads;
	relay->ports_per_thread = ports_per_thread;
	relay->pins = pins ? strdup(pins) : NULL;
	relay->resumed = resumed && pins && is_whole(pins, threads);
	int result = pins ? make_directory(pins) : 0;
	if (result == 0)
		result = load_over(relay);
	if (result == 0) {
		relay->program = bpf_program__fd(
			bpf_object__find_program_by_name(relay->object, "siprec_relay"));
		relay->flows = map_of(relay, "flows");
		read_places(relay);
		result = open_rings(relay);
	}
	if (result == 0)
		result = map_missed(relay);
	if (result != 0) {
		int error = errno;
		relay_free(relay);
		errno = error;
		return result;
	}
	*out = relay;
	return 0;
}

bool relay_resumed(const struct relay *relay)
{
	return relay->resumed;
}

int rtpfork_relay_probe(const char *pins)
{
	struct relay relay = {.threads = 1, .ports_per_thread = 1};
	int result = make_directory(pins);
	if (result != 0)
		return result;
	result = load(&relay);
	int error = errno;
	bpf_object__close(relay.object);
	errno = error;
	return result;
}

/* interfaces */

static void detach(struct relay *relay, uint32_t at)
{
	struct relay_place *place = &relay->served[at];
	detach_from(place);
	memset(place, 0, sizeof *place);
	bpf_map_update_elem(relay->places, &at, place, BPF_ANY);
}

/* The place of |interface|, or a free one, or RELAY_INTERFACES. */
static uint32_t place_of(const struct relay *relay, uint32_t interface)
{
	uint32_t unused = RELAY_INTERFACES;
	for (uint32_t i = 0; i < RELAY_INTERFACES; i++) {
		if (relay->served[i].interface == interface)
			return i;
		if (relay->served[i].interface == 0 && unused == RELAY_INTERFACES)
			unused = i;
	}
	return unused;
}

/* Attach to |interface|, in place of what a process before this one has left there. */
static void attach(struct relay *relay, uint32_t interface)
{
	uint32_t at = place_of(relay, interface);
	if (at == RELAY_INTERFACES || relay->fresh[at])
		return;
	struct relay_place *place = &relay->served[at];
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)interface,
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = relay->program,
			    .handle = place->handle, .priority = place->priority,
			    .flags = place->interface != 0 ? BPF_TC_F_REPLACE : 0);
	int result = bpf_tc_hook_create(&hook);
	if ((result != 0 && result != -EEXIST) || bpf_tc_attach(&hook, &options) != 0)
		return;
	relay->fresh[at] = true;
	*place = (struct relay_place){
		.interface = interface,
		.handle = options.handle,
		.priority = options.priority,
	};
	bpf_map_update_elem(relay->places, &at, place, BPF_ANY);
}

static bool is_ethernet(const struct ifaddrs *all, const char *name)
{
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		const struct sockaddr_ll *link = (const void *)at->ifa_addr;
		if (link && link->sll_family == AF_PACKET && strcmp(at->ifa_name, name) == 0)
			return link->sll_hatype == ARPHRD_ETHER;
	}
	return false;
}

/* Forget interfaces that are gone: their number may come again. */
static void forget_gone(struct relay *relay)
{
	char name[IF_NAMESIZE];
	for (uint32_t i = 0; i < RELAY_INTERFACES; i++) {
		if (relay->served[i].interface == 0 ||
		    if_indextoname(relay->served[i].interface, name))
			continue;
		memset(&relay->served[i], 0, sizeof relay->served[i]);
		relay->fresh[i] = false;
		bpf_map_update_elem(relay->places, &i, &relay->served[i], BPF_ANY);
	}
}

/* Whether |address| is one where calls come in. */
static bool is_host(const struct relay *relay, const struct sockaddr *address)
{
	struct rtpfork_address host = {0};
	if (address && address->sa_family == AF_INET)
		memcpy(&host.v4, address, sizeof host.v4);
	else if (address && address->sa_family == AF_INET6)
		memcpy(&host.v6, address, sizeof host.v6);
	for (size_t i = 0; i < relay->host_count; i++)
		if (rtpfork_address_same_host(&host, &relay->hosts[i]))
			return true;
	return false;
}

static bool is_known(struct relay *relay, const struct rtpfork_address *host)
{
	for (size_t i = 0; i < relay->host_count; i++)
		if (rtpfork_address_same_host(host, &relay->hosts[i]))
			return true;
	if (relay->host_count < RELAY_INTERFACES)
		relay->hosts[relay->host_count++] = *host;
	return false;
}

void relay_serve(struct relay *relay, const struct rtpfork_address *host, uint64_t now_ns)
{
	struct ifaddrs *all = NULL;
	if ((is_known(relay, host) && now_ns < relay->look_ns) || getifaddrs(&all) != 0)
		return;
	relay->look_ns = now_ns + NS_PER_S;
	forget_gone(relay);
	for (const struct ifaddrs *at = all; at; at = at->ifa_next)
		if (is_host(relay, at->ifa_addr) && is_ethernet(all, at->ifa_name))
			attach(relay, if_nametoindex(at->ifa_name));
	freeifaddrs(all);
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	for (uint32_t i = 0; relay->object && i < RELAY_INTERFACES; i++)
		detach(relay, i);
	if (relay->object)
		unpin(relay->pins);
	if (relay->missed)
		munmap((void *)relay->missed, relay->missed_bytes);
	for (size_t i = 0; i < RELAY_MAX_THREADS; i++)
		if (relay->rings[i] >= 0)
			close(relay->rings[i]);
	bpf_object__close(relay->object);
	free(relay->pins);
	free(relay);
}

/* flows */

static uint32_t place_for(const struct relay_flow *flow)
{
	return ntohs(flow->local_port) / 2;
}

static bool read_flow(const struct relay *relay, uint32_t at, struct relay_flow *flow)
{
	return bpf_map_lookup_elem_flags(relay->flows, &at, flow, BPF_F_LOCK) == 0;
}

static int write_flow(const struct relay *relay, uint32_t at, const struct relay_flow *flow)
{
	return bpf_map_update_elem(relay->flows, &at, flow, BPF_F_LOCK) == 0 ? 0 : RTPFORK_ESYSTEM;
}

static bool same_local(const struct relay_flow *a, const struct relay_flow *b)
{
	return a->local_port == b->local_port && memcmp(a->local, b->local, sizeof a->local) == 0;
}

int relay_put(const struct relay *relay, const struct relay_flow *flow)
{
	uint32_t at = place_for(flow);
	struct relay_flow there;
	if (!read_flow(relay, at, &there))
		return RTPFORK_ESYSTEM;
	if (there.local_port != 0 && !same_local(&there, flow))
		return RTPFORK_EEXHAUSTED;
	return write_flow(relay, at, flow);
}

void relay_drop(const struct relay *relay, const struct relay_flow *flow)
{
	static const struct relay_flow none;
	uint32_t at = place_for(flow);
	struct relay_flow there;
	if (read_flow(relay, at, &there) && same_local(&there, flow))
		write_flow(relay, at, &none);
}

int relay_find(const struct relay *relay, const struct relay_flow *flow, struct relay_flow *found)
{
	return read_flow(relay, place_for(flow), found) && same_local(found, flow) ? 0
										   : RTPFORK_EGONE;
}

bool relay_sweep(const struct relay *relay, uint32_t *at, uint32_t most,
		 bool (*claimed)(const void *by, const struct relay_flow *flow), const void *by)
{
	struct relay_flow there;
	for (; most != 0 && *at < RELAY_PLACES; most--, ++*at)
		if (read_flow(relay, *at, &there) && there.local_port != 0 && !claimed(by, &there))
			relay_drop(relay, &there);
	return *at < RELAY_PLACES;
}

uint32_t relay_threads(const struct relay *relay)
{
	return relay->threads;
}

int relay_ring(const struct relay *relay, uint32_t thread)
{
	return relay->rings[thread];
}

uint32_t relay_slot(const struct relay *relay, uint32_t thread, uint32_t slot)
{
	return thread * relay->ports_per_thread + slot;
}

const uint64_t *relay_missed(const struct relay *relay, uint32_t thread)
{
	return relay->missed + relay_slot(relay, thread, 0);
}

int relay_program(const struct relay *relay)
{
	return relay->program;
}

#endif

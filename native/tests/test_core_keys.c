/* Keys are the core's to hand out: there are always enough, and all come back. */
#include "core_fixture.h"

enum { PORTS = 8, READERS = 8, MOST_KEYS = 6 }; /* as the fixture has; more than any remembers */

static struct rtpfork_sdes key_number(uint8_t number)
{
	struct rtpfork_sdes key = {.suite = rtpfork_srtp_suite("AEAD_AES_256_GCM")};
	memset(key.material, number, sizeof key.material);
	return key;
}

static void connect_by_many_keys(struct fixture *f, uint64_t port)
{
	struct rtpfork_party party = fixture_party(&f->addresses[CALLEE]);
	for (uint8_t n = 1; n <= MOST_KEYS; n++) {
		party.send_key = key_number(n);
		party.receive_key = key_number(n);
		CHECK_EQ(rtpfork_core_connect(f->core, port, &party), 0);
	}
}

static void read_by_many_keys(struct fixture *f, uint64_t reader)
{
	struct rtpfork_target target = fixture_target(f);
	for (uint8_t n = 1; n <= MOST_KEYS; n++) {
		target.send_key = key_number(n);
		target.receive_key = key_number(n);
		CHECK_EQ(rtpfork_core_update(f->core, reader, &target), 0);
	}
}

static void all_ports_and_readers_may_have_all_their_keys_again_and_again(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	for (int round = 0; round < 3; round++) {
		uint64_t ports[PORTS];
		uint64_t readers[READERS];
		uint32_t slot;
		memcpy(ports, f.ids, sizeof f.ids);
		for (size_t i = 3; i < PORTS; i++)
			CHECK_EQ(rtpfork_core_open(f.core, &ports[i], &slot), 0);
		for (size_t i = 0; i < PORTS; i++)
			connect_by_many_keys(&f, ports[i]);
		for (uint32_t i = 0; i < READERS; i++) {
			readers[i] = fixture_attach(&f, i + 1);
			read_by_many_keys(&f, readers[i]);
		}
		for (size_t i = 0; i < READERS; i += 2) /* the others end with their port */
			fixture_detach(&f, readers[i]);
		for (size_t i = 0; i < PORTS; i++) {
			struct rtpfork_port_counters counters;
			struct rtpfork_log *garbage = NULL;
			CHECK_EQ(
				rtpfork_core_close(f.core, ports[i], f.now_ns, &counters, &garbage),
				0);
			rtpfork_log_free(garbage);
		}
		for (size_t i = 0; i < 3; i++)
			CHECK_EQ(rtpfork_core_open(f.core, &f.ids[i], &f.slots[i]), 0);
	}
	fixture_free(&f);
}

/* RFC 3711 9.1: what a closed port remembered of its keys is nothing to the next one in its slot.
 */
static void a_key_is_new_to_the_next_port_in_the_slot(void)
{
	struct fixture f;
	fixture_new(&f, 16);
	for (int round = 0; round < 3; round++) {
		struct rtpfork_port_counters counters;
		struct rtpfork_log *garbage = NULL;
		uint32_t slot = f.slots[VIA];
		connect_by_many_keys(&f, f.ids[VIA]);
		CHECK_EQ(rtpfork_core_close(f.core, f.ids[VIA], f.now_ns, &counters, &garbage), 0);
		CHECK_EQ(rtpfork_core_open(f.core, &f.ids[VIA], &f.slots[VIA]), 0);
		CHECK_EQ(f.slots[VIA], slot);
	}
	fixture_free(&f);
}

int main(void)
{
	RUN(all_ports_and_readers_may_have_all_their_keys_again_and_again);
	RUN(a_key_is_new_to_the_next_port_in_the_slot);
	return 0;
}

/* SRTP keys, roll-over counters and replay lists (RFC 3711 3.3, 9; RFC 4568 6, 7). */
#include "srtp_fixture.h"

/* RFC 4568 6.2, RFC 6188 4, RFC 7714 14.2. */
static void suites_have_the_lengths_of_the_rfcs(void)
{
	static const struct {
		const char *name;
		size_t material, rtp_tag, rtcp_tag;
	} expected[] = {
		{"AES_CM_128_HMAC_SHA1_80", 30, 10, 10}, {"AES_CM_128_HMAC_SHA1_32", 30, 4, 10},
		{"AES_192_CM_HMAC_SHA1_80", 38, 10, 10}, {"AES_192_CM_HMAC_SHA1_32", 38, 4, 10},
		{"AES_256_CM_HMAC_SHA1_80", 46, 10, 10}, {"AES_256_CM_HMAC_SHA1_32", 46, 4, 10},
		{"AEAD_AES_128_GCM", 28, 16, 16},	 {"AEAD_AES_256_GCM", 44, 16, 16},
	};
	size_t count;

	rtpfork_srtp_suites(&count);
	CHECK_EQ(count, sizeof expected / sizeof expected[0]);
	for (size_t i = 0; i < count; i++) {
		const struct rtpfork_srtp_suite *suite = rtpfork_srtp_suite(expected[i].name);
		CHECK(suite);
		CHECK_EQ(suite->key_bytes + suite->salt_bytes, expected[i].material);
		CHECK_EQ(suite->rtp_tag_bytes, expected[i].rtp_tag);
		CHECK_EQ(suite->rtcp_tag_bytes, expected[i].rtcp_tag);
	}
	CHECK(!rtpfork_srtp_suite("F8_128_HMAC_SHA1_80"));
	CHECK(!rtpfork_srtp_suite(""));
}

static void key_of_another_length_is_refused(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);
	const uint8_t material[64] = {0};

	for (size_t i = 0; i < count; i++) {
		for (size_t bytes = 0; bytes <= sizeof material; bytes++) {
			struct rtpfork_srtp_key key;
			bool fits = bytes == (size_t)suites[i].key_bytes + suites[i].salt_bytes;
			CHECK_EQ(rtpfork_srtp_key_init(&key, crypto, &suites[i], material, bytes,
						       RTPFORK_SRTP_SEND),
				 fits ? RTPFORK_OK : RTPFORK_EKEYLENGTH);
			CHECK_EQ(key.suite != NULL, fits);
		}
	}
}

/* RFC 4568 7.1.4: the same key again goes on, another begins anew. */
static void same_material_is_recognised(void)
{
	struct rtpfork_srtp_key key = key_of("AES_CM_128_HMAC_SHA1_80", KEY_128, RTPFORK_SRTP_SEND);
	uint8_t material[30];

	check_hex(KEY_128, material);
	CHECK(rtpfork_srtp_key_matches(&key, crypto, default_suite(), material, sizeof material));
	CHECK(!rtpfork_srtp_key_matches(&key, crypto, default_suite(), material, 29));
	CHECK(!rtpfork_srtp_key_matches(&key, crypto, rtpfork_srtp_suite("AES_CM_128_HMAC_SHA1_32"),
					material, sizeof material));
	for (size_t i = 0; i < sizeof material; i++) {
		material[i] ^= 1;
		CHECK(!rtpfork_srtp_key_matches(&key, crypto, default_suite(), material,
						sizeof material));
		material[i] ^= 1;
	}
}

/* RFC 5764 3: RTCP on a port of its own has a handshake, and so keys, of its own. */
static void rtcp_may_have_keys_of_its_own(void)
{
	struct rtpfork_srtp_key send = any_key(default_suite(), RTPFORK_SRTP_SEND);
	struct rtpfork_srtp_key rtp = any_key(default_suite(), RTPFORK_SRTP_RECEIVE);
	struct rtpfork_srtp_key rtcp =
		key_of("AES_CM_128_HMAC_SHA1_80", KEY_128, RTPFORK_SRTP_RECEIVE);
	uint8_t material[30];
	uint8_t packet[ROOM];
	size_t bytes;

	check_hex(KEY_128, material);
	CHECK_EQ(rtpfork_srtp_key_set_rtcp(&send, crypto, material), RTPFORK_OK);
	CHECK_EQ(send_rtp(&send, 9, 1, packet, &bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtp(&rtcp, packet, bytes), RTPFORK_EAUTH);
	CHECK_EQ(receive_rtp(&rtp, packet, bytes), RTPFORK_OK);
	CHECK_EQ(send_rtcp(&send, 9, packet, &bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtcp(&rtp, packet, bytes), RTPFORK_EAUTH);
	CHECK_EQ(receive_rtcp(&rtcp, packet, bytes), RTPFORK_OK);
}

static void cleared_key_holds_nothing_and_protects_nothing(void)
{
	static const struct rtpfork_srtp_key empty;
	struct rtpfork_srtp_key key = any_key(default_suite(), RTPFORK_SRTP_SEND);
	uint8_t out[ROOM] = {0x80};
	size_t bytes;

	CHECK_EQ(receive_rtp(&key, out, PACKET_BYTES), RTPFORK_EARGUMENT);
	CHECK_EQ(receive_rtcp(&key, out, PACKET_BYTES), RTPFORK_EARGUMENT);
	rtpfork_srtp_key_clear(&key);
	CHECK_BYTES(&key, &empty, sizeof key);
	CHECK_EQ(send_rtp(&key, 1, 1, out, &bytes), RTPFORK_EARGUMENT);
	CHECK_EQ(send_rtcp(&key, 1, out, &bytes), RTPFORK_EARGUMENT);
}

/* RFC 3711 3.3.1, appendix A. */
static void index_is_estimated_as_the_rfc_does(void)
{
	static const struct {
		uint64_t highest;
		uint16_t sequence;
		uint64_t index;
		bool within;
	} cases[] = {
		{0, 1, 1, true},
		{0, 0x8000, 0x8000, true},
		{0, 0x8001, 0x8001, false},
		{0xffff, 0, 0x10000, true},
		{0xffff, 0x7ffe, 0x17ffe, true},
		{0xffff, 0x7fff, 0x7fff, true},
		{0x10000, 0xffff, 0xffff, true},
		{0x17fff, 0xffff, 0x1ffff, true},
		{0x18000, 0xffff, 0x1ffff, true},
		{0x18000, 0, 0x10000, true},
		{0x18001, 0, 0x20000, true},
		{0xffffffff0000, 0xffff, 0xfffffffeffff, true},
		{0xffffffffffff, 0, 0xffffffff0000, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t index;
		CHECK_EQ(rtpfork_srtp_estimate(cases[i].highest, cases[i].sequence, &index),
			 cases[i].within);
		CHECK_EQ(index, cases[i].index);
	}
}

/* RFC 3711 3.3.2: against a list of everything that was seen. */
static void window_agrees_with_a_list(void)
{
	static bool seen[4096];
	uint64_t window[2] = {1, 0}, highest = 0;
	uint32_t random = 1;

	seen[0] = true;
	for (int turn = 0; turn < 20000 && highest < 3900; turn++) {
		random = random * 1664525u + 1013904223u;
		uint64_t span = turn % 50 == 0 ? 200 : 140;
		uint64_t low = highest > 135 ? highest - 135 : 0;
		uint64_t index = low + (random >> 8) % span;
		bool fresh = !seen[index] && index + RTPFORK_SRTP_WINDOW > highest;

		CHECK_EQ(rtpfork_srtp_is_new(highest, window, index), fresh);
		if (fresh) {
			highest = rtpfork_srtp_mark(highest, window, index);
			seen[index] = true;
		}
	}
	CHECK(highest > 1000);
}

static void roll_over_survives_loss_and_disorder(void)
{
	struct rtpfork_srtp_key send = any_key(default_suite(), RTPFORK_SRTP_SEND);
	struct rtpfork_srtp_key receive = any_key(default_suite(), RTPFORK_SRTP_RECEIVE);
	uint8_t packets[4][ROOM];
	size_t bytes[4];
	uint16_t sequences[] = {65533, 65534, 65535, 0};

	for (uint32_t turn = 0; turn < 3; turn++) {
		for (uint32_t sequence = 1; sequence < 65533; sequence += 4099) {
			CHECK_EQ(send_rtp(&send, 9, (uint16_t)sequence, packets[0], &bytes[0]),
				 RTPFORK_OK);
			CHECK_EQ(receive_rtp(&receive, packets[0], bytes[0]), RTPFORK_OK);
		}
		for (size_t i = 0; i < 4; i++)
			CHECK_EQ(send_rtp(&send, 9, sequences[i], packets[i], &bytes[i]),
				 RTPFORK_OK);
		CHECK_EQ(receive_rtp(&receive, packets[3], bytes[3]), RTPFORK_OK);
		CHECK_EQ(receive_rtp(&receive, packets[1], bytes[1]), RTPFORK_OK);
		CHECK_EQ(receive_rtp(&receive, packets[2], bytes[2]), RTPFORK_OK);
		CHECK_EQ(receive_rtp(&receive, packets[1], bytes[1]), RTPFORK_EREPLAY);
	}
	CHECK_EQ(receive.sources[0].index >> 16, 3);
}

/* RFC 3711 9.1: an index is used once, whatever is relayed. */
static void sender_never_uses_an_index_twice(void)
{
	struct rtpfork_srtp_key key = any_key(default_suite(), RTPFORK_SRTP_SEND);
	uint8_t out[ROOM];
	size_t bytes;

	CHECK_EQ(send_rtp(&key, 9, 1000, out, &bytes), RTPFORK_OK);
	CHECK_EQ(send_rtp(&key, 9, 1000, out, &bytes), RTPFORK_EREPLAY);
	CHECK_EQ(send_rtp(&key, 9, 999, out, &bytes), RTPFORK_OK);
	CHECK_EQ(send_rtp(&key, 9, 999, out, &bytes), RTPFORK_EREPLAY);
	CHECK_EQ(send_rtp(&key, 9, 1000 - 128, out, &bytes), RTPFORK_EREPLAY);
	CHECK_EQ(send_rtp(&key, 9, 1000 - 127, out, &bytes), RTPFORK_OK);
	CHECK_EQ(send_rtp(&key, 9, 65535, out, &bytes), RTPFORK_EREPLAY);
	CHECK_EQ(send_rtp(&key, 9, 1001, out, &bytes), RTPFORK_OK);
}

/* RFC 3711 9.2. */
static void spent_key_protects_no_more(void)
{
	struct rtpfork_srtp_key key = any_key(default_suite(), RTPFORK_SRTP_SEND);
	uint8_t out[ROOM];
	size_t bytes;

	place(&key, 9, RTPFORK_SRTP_INDEX_MAX - 1);
	CHECK_EQ(send_rtp(&key, 9, 65535, out, &bytes), RTPFORK_OK);
	CHECK_EQ(send_rtp(&key, 9, 0, out, &bytes), RTPFORK_EKEYSPENT);
	key.sources[0].rtcp_index = RTPFORK_SRTCP_INDEX_MAX;
	CHECK_EQ(send_rtcp(&key, 9, out, &bytes), RTPFORK_OK);
	CHECK_EQ(rtpfork_get_u32(out + 32), 0xffffffffu);
	CHECK_EQ(send_rtcp(&key, 9, out, &bytes), RTPFORK_EKEYSPENT);
}

/* RFC 3711 9.1: an SSRC that gave its place to another is not sent again; those that have one go
 * on.
 */
static void sender_serves_many_ssrcs_and_none_of_them_twice(void)
{
	struct rtpfork_srtp_key key = any_key(default_suite(), RTPFORK_SRTP_SEND);
	uint32_t all = RTPFORK_SRTP_SOURCES + RTPFORK_SRTP_RETIRED;
	uint8_t out[ROOM];
	size_t bytes;

	for (uint32_t ssrc = 0; ssrc < all; ssrc++)
		CHECK_EQ(send_rtp(&key, ssrc, 5, out, &bytes), RTPFORK_OK);
	CHECK_EQ(send_rtp(&key, all, 5, out, &bytes), RTPFORK_ESOURCES);
	for (uint32_t ssrc = 0; ssrc < all; ssrc++) {
		bool placed = ssrc >= RTPFORK_SRTP_RETIRED;
		CHECK_EQ(send_rtp(&key, ssrc, 5, out, &bytes),
			 placed ? RTPFORK_EREPLAY : RTPFORK_ESOURCES);
		CHECK_EQ(send_rtp(&key, ssrc, 6, out, &bytes),
			 placed ? RTPFORK_OK : RTPFORK_ESOURCES);
		CHECK_EQ(send_rtcp(&key, ssrc, out, &bytes),
			 placed ? RTPFORK_OK : RTPFORK_ESOURCES);
	}
}

static void receiver_replaces_the_least_recently_used_ssrc(void)
{
	uint8_t packets[RTPFORK_SRTP_SOURCES + 1][ROOM];
	size_t bytes[RTPFORK_SRTP_SOURCES + 1];
	struct rtpfork_srtp_key receive = any_key(default_suite(), RTPFORK_SRTP_RECEIVE);

	for (uint32_t ssrc = 0; ssrc <= RTPFORK_SRTP_SOURCES; ssrc++) {
		struct rtpfork_srtp_key send = any_key(default_suite(), RTPFORK_SRTP_SEND);
		CHECK_EQ(send_rtp(&send, ssrc, 5, packets[ssrc], &bytes[ssrc]), RTPFORK_OK);
	}
	for (size_t i = 0; i < RTPFORK_SRTP_SOURCES; i++)
		CHECK_EQ(receive_rtp(&receive, packets[i], bytes[i]), RTPFORK_OK);

	/* A forgery takes nobody's place. */
	packets[RTPFORK_SRTP_SOURCES][20] ^= 1;
	CHECK_EQ(receive_rtp(&receive, packets[RTPFORK_SRTP_SOURCES], bytes[RTPFORK_SRTP_SOURCES]),
		 RTPFORK_EAUTH);
	CHECK_EQ(receive_rtp(&receive, packets[0], bytes[0]), RTPFORK_EREPLAY);
	packets[RTPFORK_SRTP_SOURCES][20] ^= 1;
	CHECK_EQ(receive_rtp(&receive, packets[RTPFORK_SRTP_SOURCES], bytes[RTPFORK_SRTP_SOURCES]),
		 RTPFORK_OK);
	for (size_t i = 1; i <= RTPFORK_SRTP_SOURCES; i++)
		CHECK_EQ(receive_rtp(&receive, packets[i], bytes[i]), RTPFORK_EREPLAY);
}

/* RFC 3711 3.4, 3.3.2. */
static void rtcp_replay_is_refused_and_disorder_accepted(void)
{
	struct rtpfork_srtp_key send = any_key(default_suite(), RTPFORK_SRTP_SEND);
	struct rtpfork_srtp_key receive = any_key(default_suite(), RTPFORK_SRTP_RECEIVE);
	static uint8_t packets[140][ROOM];
	size_t bytes = 0;

	for (size_t i = 0; i < 140; i++)
		CHECK_EQ(send_rtcp(&send, 9, packets[i], &bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtcp(&receive, packets[1], bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtcp(&receive, packets[0], bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtcp(&receive, packets[0], bytes), RTPFORK_EREPLAY);
	CHECK_EQ(receive_rtcp(&receive, packets[139], bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtcp(&receive, packets[12], bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtcp(&receive, packets[11], bytes), RTPFORK_EREPLAY);
	CHECK_EQ(receive_rtcp(&receive, packets[139], bytes), RTPFORK_EREPLAY);
}

/* In place, as the engine does it, and apart from it. */
static void a_sender_that_has_rolled_over_is_joined_with_its_first_packet_and_no_later(void)
{
	size_t count;
	const struct rtpfork_srtp_suite *suites = rtpfork_srtp_suites(&count);

	for (size_t i = 0; i < count; i++) {
		struct rtpfork_srtp_key send = any_key(&suites[i], RTPFORK_SRTP_SEND);
		struct rtpfork_srtp_key late = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
		struct rtpfork_srtp_key joined = any_key(&suites[i], RTPFORK_SRTP_RECEIVE);
		uint8_t packet[ROOM];
		uint8_t clear[PACKET_BYTES];
		size_t bytes;

		rtpfork_srtp_key_join(&joined);
		place(&send, 9, 3u << 16 | 65534u);
		for (uint16_t sequence = 65535; sequence != 2; sequence++) {
			CHECK_EQ(send_rtp(&send, 9, sequence, packet, &bytes), RTPFORK_OK);
			CHECK_EQ(receive_rtp(&late, packet, bytes), RTPFORK_EAUTH);
			CHECK_EQ(rtpfork_srtp_unprotect(&joined, crypto, packet, bytes, packet,
							ROOM, &bytes),
				 RTPFORK_OK);
			make_rtp(clear, sizeof clear, 9, sequence);
			CHECK_EQ(bytes, sizeof clear);
			CHECK(memcmp(packet, clear, sizeof clear) == 0);
		}
		place(&send, 10, 1u << 16 | 7u);
		CHECK_EQ(send_rtp(&send, 10, 8, packet, &bytes), RTPFORK_OK);
		CHECK_EQ(receive_rtp(&joined, packet, bytes), RTPFORK_EAUTH);
	}
}

static void what_cannot_be_opened_leaves_the_key_to_be_joined(void)
{
	struct rtpfork_srtp_key send = any_key(default_suite(), RTPFORK_SRTP_SEND);
	struct rtpfork_srtp_key joined = any_key(default_suite(), RTPFORK_SRTP_RECEIVE);
	uint8_t packet[ROOM];
	size_t bytes;

	rtpfork_srtp_key_join(&joined);
	place(&send, 9, (uint64_t)RTPFORK_SRTP_ROLL_OVERS << 16 | 5u);
	CHECK_EQ(send_rtp(&send, 9, 6, packet, &bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtp(&joined, packet, bytes), RTPFORK_EAUTH);
	send = any_key(default_suite(), RTPFORK_SRTP_SEND);
	place(&send, 9, (uint64_t)(RTPFORK_SRTP_ROLL_OVERS - 1) << 16 | 5u);
	CHECK_EQ(send_rtp(&send, 9, 6, packet, &bytes), RTPFORK_OK);
	CHECK_EQ(receive_rtp(&joined, packet, bytes), RTPFORK_OK);
}

int main(void)
{
	CHECK_EQ(rtpfork_crypto_new(&crypto), RTPFORK_OK);
	RUN(suites_have_the_lengths_of_the_rfcs);
	RUN(key_of_another_length_is_refused);
	RUN(same_material_is_recognised);
	RUN(rtcp_may_have_keys_of_its_own);
	RUN(cleared_key_holds_nothing_and_protects_nothing);
	RUN(index_is_estimated_as_the_rfc_does);
	RUN(window_agrees_with_a_list);
	RUN(roll_over_survives_loss_and_disorder);
	RUN(sender_never_uses_an_index_twice);
	RUN(spent_key_protects_no_more);
	RUN(sender_serves_many_ssrcs_and_none_of_them_twice);
	RUN(receiver_replaces_the_least_recently_used_ssrc);
	RUN(rtcp_replay_is_refused_and_disorder_accepted);
	RUN(a_sender_that_has_rolled_over_is_joined_with_its_first_packet_and_no_later);
	RUN(what_cannot_be_opened_leaves_the_key_to_be_joined);
	rtpfork_crypto_free(crypto);
	return 0;
}

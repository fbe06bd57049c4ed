/* The SRTP keys of one direction: none ever begins its key stream again (RFC 3711 9.1). */
#include <openssl/crypto.h>
#include <string.h>

#include "core_internal.h"

static bool is_key(struct rtpfork_core *core, const struct rtpfork_srtp_key *key,
		   const struct rtpfork_sdes *sdes, size_t bytes)
{
	return key->suite &&
	       rtpfork_srtp_key_matches(key, core->crypto, sdes->suite, sdes->material, bytes);
}

/* What tells session keys apart without being one: of the salts, which are secret but encrypt
 * nothing. */
static uint64_t fingerprint(const struct rtpfork_srtp_key *key)
{
	uint64_t rtp = 0;
	uint64_t rtcp = 0;
	memcpy(&rtp, key->rtp.salt, sizeof rtp);
	memcpy(&rtcp, key->rtcp.salt, sizeof rtcp);
	return rtp ^ rtcp;
}

/* Remember that a key is used; false: it was used before. */
static bool use(struct keys *keys, uint64_t print)
{
	for (uint32_t i = 0; i < keys->used_count && i < MAX_USED_KEYS; i++)
		if (keys->used[i] == print)
			return false;
	keys->used[keys->used_count++ % MAX_USED_KEYS] = print;
	return true;
}

/* The present key becomes the latest before, unless there is none; the oldest is forgotten. */
static void set_aside(struct keys *keys)
{
	if (keys->now.suite) {
		memmove(&keys->before[1], &keys->before[0],
			(keys->before_count - 1) * sizeof keys->before[0]);
		keys->before[0] = keys->now;
	}
	rtpfork_srtp_key_clear(&keys->now);
}

/* Which of the keys before is |sdes|; |before_count|: none. */
static size_t find_before(struct rtpfork_core *core, const struct keys *keys,
			  const struct rtpfork_sdes *sdes, size_t bytes)
{
	size_t i = 0;
	while (i < keys->before_count && !is_key(core, &keys->before[i], sdes, bytes))
		i++;
	return i;
}

static void bring_back(struct keys *keys, size_t i)
{
	struct rtpfork_srtp_key back = keys->before[i];
	memmove(&keys->before[i], &keys->before[i + 1],
		(keys->before_count - 1 - i) * sizeof keys->before[0]);
	rtpfork_srtp_key_clear(&keys->before[keys->before_count - 1]);
	set_aside(keys);
	keys->now = back;
	OPENSSL_cleanse(&back, sizeof back);
}

int core_set_key(struct rtpfork_core *core, struct keys *keys, const struct rtpfork_sdes *sdes,
		 enum rtpfork_srtp_direction direction)
{
	if (!sdes->suite) {
		set_aside(keys);
		return 0;
	}
	size_t bytes = (size_t)sdes->suite->key_bytes + sdes->suite->salt_bytes;
	if (is_key(core, &keys->now, sdes, bytes))
		return 0;
	size_t before = find_before(core, keys, sdes, bytes);
	if (before < keys->before_count) {
		bring_back(keys, before);
		return 0;
	}
	struct rtpfork_srtp_key fresh = {0};
	int result = rtpfork_srtp_key_init(&fresh, core->crypto, sdes->suite, sdes->material, bytes,
					   direction);
	if (result == 0 && sdes->rtcp_apart)
		result = rtpfork_srtp_key_set_rtcp(&fresh, core->crypto, sdes->rtcp_material);
	if (result == 0 && sdes->joined && direction == RTPFORK_SRTP_RECEIVE)
		rtpfork_srtp_key_join(&fresh);
	if (result == 0 && direction == RTPFORK_SRTP_SEND && !use(keys, fingerprint(&fresh)))
		result = RTPFORK_EKEYSPENT;
	if (result == 0) {
		set_aside(keys);
		keys->now = fresh;
	}
	rtpfork_srtp_key_clear(&fresh);
	return result;
}

void core_init_keys(struct keys *keys, struct rtpfork_srtp_key *before, uint32_t count)
{
	*keys = (struct keys){.before = before, .before_count = count};
}

void core_clear_keys(struct keys *keys)
{
	OPENSSL_cleanse(keys->before, keys->before_count * sizeof keys->before[0]);
	OPENSSL_cleanse(keys, sizeof *keys);
}

/* The SRTP keys of one direction: none ever begins its key stream again (RFC 3711 9.1). */
#include <string.h>

#include "core_internal.h"

static bool is_key(struct rtpfork_core *core, const struct held_key *held,
		   const struct rtpfork_sdes *sdes, size_t bytes)
{
	return held && rtpfork_srtp_key_matches(&held->key, core->crypto, sdes->suite,
						sdes->material, bytes);
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
static bool use(struct rtpfork_core *core, struct keys *keys, uint64_t print)
{
	if (!keys->sent_with)
		keys->sent_with = pool_take(&core->sent_with);
	struct sent_with *with = keys->sent_with;
	for (uint32_t i = 0; i < with->count && i < MAX_USED_KEYS; i++)
		if (with->prints[i] == print)
			return false;
	with->prints[with->count++ % MAX_USED_KEYS] = print;
	return true;
}

/* The present key becomes the latest before, unless there is none; the oldest is forgotten. */
static void set_aside(struct rtpfork_core *core, struct keys *keys)
{
	if (!keys->now)
		return;
	keys->now->older = keys->before;
	keys->before = keys->now;
	keys->now = NULL;
	struct held_key **oldest = &keys->before;
	for (uint32_t i = 0; *oldest && i < keys->most_before; i++)
		oldest = &(*oldest)->older;
	pool_give(&core->keys, *oldest);
	*oldest = NULL;
}

/* Whether |sdes| is one of the keys before; then it is the present one again. */
static bool bring_back(struct rtpfork_core *core, struct keys *keys,
		       const struct rtpfork_sdes *sdes, size_t bytes)
{
	struct held_key **link = &keys->before;
	while (*link && !is_key(core, *link, sdes, bytes))
		link = &(*link)->older;
	struct held_key *back = *link;
	if (!back)
		return false;
	*link = back->older;
	set_aside(core, keys);
	keys->now = back;
	return true;
}

static int derive(struct rtpfork_core *core, struct rtpfork_srtp_key *key,
		  const struct rtpfork_sdes *sdes, size_t bytes,
		  enum rtpfork_srtp_direction direction)
{
	int result = rtpfork_srtp_key_init(key, core->crypto, sdes->suite, sdes->material, bytes,
					   direction);
	if (result == 0 && sdes->rtcp_apart)
		result = rtpfork_srtp_key_set_rtcp(key, core->crypto, sdes->rtcp_material);
	if (result == 0 && sdes->joined && direction == RTPFORK_SRTP_RECEIVE)
		rtpfork_srtp_key_join(key);
	return result;
}

int core_set_key(struct rtpfork_core *core, struct keys *keys, const struct rtpfork_sdes *sdes,
		 enum rtpfork_srtp_direction direction)
{
	if (!sdes->suite) {
		set_aside(core, keys);
		return 0;
	}
	size_t bytes = (size_t)sdes->suite->key_bytes + sdes->suite->salt_bytes;
	if (is_key(core, keys->now, sdes, bytes) || bring_back(core, keys, sdes, bytes))
		return 0;
	struct held_key *fresh = pool_take(&core->keys);
	int result = derive(core, &fresh->key, sdes, bytes, direction);
	if (result == 0 && direction == RTPFORK_SRTP_SEND &&
	    !use(core, keys, fingerprint(&fresh->key)))
		result = RTPFORK_EKEYSPENT;
	if (result != 0) {
		pool_give(&core->keys, fresh);
		return result;
	}
	set_aside(core, keys);
	keys->now = fresh;
	return 0;
}

int core_make_keys(struct rtpfork_core *core)
{
	size_t ports = core->options.max_ports;
	size_t readers = core->options.max_readers;
	size_t keys = ports * (1 + KEYS_BEFORE + 1 + SEND_KEYS_BEFORE) +
		      readers * 2 * (1 + KEYS_BEFORE) + 1; /* before the oldest is forgotten */
	int result = pool_init(&core->keys, keys, sizeof(struct held_key));
	if (result == 0)
		result = pool_init(&core->sent_with, ports + readers, sizeof(struct sent_with));
	return result;
}

void core_free_keys(struct rtpfork_core *core)
{
	pool_destroy(&core->keys);
	pool_destroy(&core->sent_with);
}

void core_clear_keys(struct rtpfork_core *core, struct keys *keys)
{
	pool_give(&core->keys, keys->now);
	while (keys->before) {
		struct held_key *key = keys->before;
		keys->before = key->older;
		pool_give(&core->keys, key);
	}
	pool_give(&core->sent_with, keys->sent_with);
	*keys = (struct keys){0};
}

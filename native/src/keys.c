/* The SRTP keys of one direction: none ever begins its key stream again (RFC 3711 9.1). */
#include <string.h>

#include "core_internal.h"

static struct held_key *at(const struct rtpfork_core *core, uint32_t cell)
{
	return pool_at(&core->keys, cell);
}

static bool is_key(struct rtpfork_core *core, uint32_t cell, const struct rtpfork_sdes *sdes,
		   size_t bytes)
{
	return cell != 0 && rtpfork_srtp_key_matches(&at(core, cell)->key, core->crypto,
						     sdes->suite, sdes->material, bytes);
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
	if (keys->sent_with == 0)
		keys->sent_with = pool_take(&core->sent_with);
	struct sent_with *with = pool_at(&core->sent_with, keys->sent_with);
	for (uint32_t i = 0; i < with->count && i < MAX_USED_KEYS; i++)
		if (with->prints[i] == print)
			return false;
	with->prints[with->count++ % MAX_USED_KEYS] = print;
	return true;
}

/* The present key becomes the latest before, unless there is none; the oldest is forgotten. */
static void set_aside(struct rtpfork_core *core, struct keys *keys)
{
	if (keys->now == 0)
		return;
	at(core, keys->now)->older = keys->before;
	keys->before = keys->now;
	keys->now = 0;
	uint32_t *oldest = &keys->before;
	for (uint32_t i = 0; *oldest != 0 && i < keys->most_before; i++)
		oldest = &at(core, *oldest)->older;
	pool_give(&core->keys, *oldest);
	*oldest = 0;
}

/* Whether |sdes| is one of the keys before; then it is the present one again. */
static bool bring_back(struct rtpfork_core *core, struct keys *keys,
		       const struct rtpfork_sdes *sdes, size_t bytes)
{
	uint32_t *link = &keys->before;
	while (*link != 0 && !is_key(core, *link, sdes, bytes))
		link = &at(core, *link)->older;
	uint32_t back = *link;
	if (back == 0)
		return false;
	*link = at(core, back)->older;
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
	uint32_t fresh = pool_take(&core->keys);
	struct rtpfork_srtp_key *key = &at(core, fresh)->key;
	int result = derive(core, key, sdes, bytes, direction);
	if (result == 0 && direction == RTPFORK_SRTP_SEND && !use(core, keys, fingerprint(key)))
		result = RTPFORK_EKEYSPENT;
	if (result != 0) {
		pool_give(&core->keys, fresh);
		return result;
	}
	set_aside(core, keys);
	keys->now = fresh;
	return 0;
}

uint32_t core_most_keys(const struct rtpfork_core_options *options)
{
	return options->max_ports * (1 + KEYS_BEFORE + 1 + SEND_KEYS_BEFORE) +
	       options->max_readers * 2 * (1 + KEYS_BEFORE) +
	       1; /* before the oldest is forgotten */
}

uint32_t core_most_sent_with(const struct rtpfork_core_options *options)
{
	return options->max_ports + options->max_readers;
}

void core_clear_keys(struct rtpfork_core *core, struct keys *keys)
{
	pool_give(&core->keys, keys->now);
	while (keys->before != 0) {
		uint32_t key = keys->before;
		keys->before = at(core, key)->older;
		pool_give(&core->keys, key);
	}
	pool_give(&core->sent_with, keys->sent_with);
	*keys = (struct keys){0};
}

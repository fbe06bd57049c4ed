/* Announcements: the engine speaks to one party, in packets of 20 ms and a stream of its own
 * (RFC 3550 5.1), beside whatever is relayed to it. */
#include <string.h>

#include "core_internal.h"
#include "rtpfork/octets.h"

#define FRAME_SAMPLES (RTPFORK_SOUND_HZ / 50)
#define FRAME_NS      20000000ULL
#define LATE_NS	      (10 * FRAME_NS) /* a thread that was held up does not send a burst of more */

int rtpfork_core_announce(struct rtpfork_core *core, uint64_t port,
			  const struct rtpfork_announcement *what, uint64_t now_ns)
{
	uint32_t slot = 0;
	int result = rtpfork_table_find(&core->port_ids, port, &slot);
	if (result != 0)
		return result;
	if (!what->sound)
		return RTPFORK_EARGUMENT;
	struct port *hears = &core->ports[slot];
	if (hears->speech.what.sound && hears->speech.what.ssrc == what->ssrc)
		return 0; /* asked once more, since the answer was not heard */
	core_silence(core, hears);
	core_begin_change(&hears->whole);
	hears->speech = (struct speech){
		.what = *what,
		.sound = what->sound->number,
		.next_ns = now_ns,
	};
	core_end_change(&hears->whole);
	core->speaking[core->speaking_count++] = slot;
	return 0;
}

void core_silence(struct rtpfork_core *core, struct port *port)
{
	if (!port->speech.what.sound)
		return;
	port->speech.what.sound = NULL;
	for (size_t i = 0; i < core->speaking_count; i++)
		if (core->speaking[i] == port->slot)
			core->speaking[i] = core->speaking[--core->speaking_count];
}

/* One frame of the announcement, the last one filled up with silence; its length. */
static size_t build(struct speech *speech, uint8_t *packet)
{
	const struct rtpfork_announcement *what = &speech->what;
	size_t frame = speech->position / FRAME_SAMPLES;
	packet[0] = 0x80;
	packet[1] = (uint8_t)((frame == 0 ? 0x80u : 0u) | what->payload_type);
	rtpfork_put_u16(packet + 2, (uint16_t)(what->first_sequence + frame));
	rtpfork_put_u32(packet + 4, what->first_timestamp + (uint32_t)speech->position);
	rtpfork_put_u32(packet + 8, what->ssrc);
	for (size_t i = 0; i < FRAME_SAMPLES; i++) {
		size_t at = speech->position + i;
		int16_t sample = at < what->sound->count ? what->sound->samples[at] : 0;
		packet[RTPFORK_RTP_HEADER_BYTES + i] = rtpfork_g711_encode(what->law, sample);
	}
	speech->position += FRAME_SAMPLES;
	return RTPFORK_RTP_HEADER_BYTES + FRAME_SAMPLES;
}

/* Queue the next frame; what cannot be protected or has no address is not sent. */
static void say(struct rtpfork_core *core, struct port *port)
{
	uint8_t *buffer = NULL;
	struct rtpfork_out *out = core_next_out(core, &buffer);
	bool secure = port->send.now != 0;
	uint8_t *packet = secure ? core->mixed : buffer;
	size_t bytes = build(&port->speech, packet);
	if (secure && rtpfork_srtp_protect(core_key(core, &port->send), core->crypto, packet, bytes,
					   buffer, OUT_BYTES, &bytes) != 0)
		return;
	out->to = core_rtp_target(port);
	if (!rtpfork_address_known(out->to))
		return;
	out->port = port->slot;
	out->rtcp = false;
	out->kind = RTPFORK_OUT_SPEECH;
	out->owner = port->slot;
	out->data = buffer;
	out->bytes = (uint32_t)bytes;
	core_queue(core);
}

static void end(struct rtpfork_core *core, struct port *port)
{
	struct rtpfork_notice notice = {
		.kind = RTPFORK_NOTICE_ANNOUNCED,
		.id = rtpfork_table_id(&core->port_ids, port->slot),
	};
	core_silence(core, port);
	core_notify(core, &notice);
}

bool rtpfork_core_speak(struct rtpfork_core *core, uint64_t now_ns)
{
	for (size_t i = core->speaking_count; i-- > 0;) {
		struct port *port = &core->ports[core->speaking[i]];
		struct speech *speech = &port->speech;
		if (now_ns > speech->next_ns + LATE_NS)
			speech->next_ns = now_ns - LATE_NS;
		while (speech->what.sound && speech->next_ns <= now_ns) {
			if (speech->position >= speech->what.sound->count) {
				end(core, port);
				break;
			}
			if (!core_has_room(core))
				return true;
			say(core, port);
			speech->next_ns += FRAME_NS;
		}
	}
	return false;
}

uint64_t rtpfork_core_speaks_at(const struct rtpfork_core *core)
{
	uint64_t at_ns = UINT64_MAX;
	for (size_t i = 0; i < core->speaking_count; i++) {
		uint64_t next_ns = core->ports[core->speaking[i]].speech.next_ns;
		at_ns = next_ns < at_ns ? next_ns : at_ns;
	}
	return at_ns;
}

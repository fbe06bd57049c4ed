/* Truths are read as octets here: any but 0 and 1 must not be read as a truth at all. */
#include "state.h"

#include <stddef.h>
#include <string.h>

#define TRUTH(type, field) offsetof(struct type, field)
#define MOST_EXTENDED	   (INT64_C(1) << 50) /* far from what could overflow, and never reached */

static const uint16_t PORT_TRUTHS[] = {
	TRUTH(port, dirty),	    TRUTH(port, heard),		TRUTH(port, silent),
	TRUTH(port, dtls),	    TRUTH(port, whole),		TRUTH(port, resumed),
	TRUTH(port, raw),	    TRUTH(port, learn),		TRUTH(port, rtcp_mux),
	TRUTH(port, source.begun),  TRUTH(port, source.timed),	TRUTH(port, tone.what.recorded),
	TRUTH(port, tone.sounding), TRUTH(port, tracker.known), TRUTH(port, tracker.active),
};

static const uint16_t FORK_TRUTHS[] = {
	TRUTH(fork, whole),	      TRUTH(fork, rtcp_mux),	 TRUTH(fork, rtcp_begun),
	TRUTH(fork, rtcp_reported),   TRUTH(fork, rtcp_silent),	 TRUTH(fork, collided),
	TRUTH(fork, no_rtcp),	      TRUTH(fork, reader.live),	 TRUTH(fork, reader.events),
	TRUTH(fork, reader.anchored), TRUTH(fork, reader.begun), TRUTH(fork, reader.reference_old),
};

static bool are_truths(const void *whole, const uint16_t *offsets, size_t count)
{
	const uint8_t *octets = whole;
	for (size_t i = 0; i < count; i++)
		if (octets[offsets[i]] > 1)
			return false;
	return true;
}

bool state_is_torn(const bool *whole)
{
	return *(const uint8_t *)whole == 0;
}

static bool is_extended(int64_t number)
{
	return number > -MOST_EXTENDED && number < MOST_EXTENDED;
}

static bool is_law(enum rtpfork_law law)
{
	return law == RTPFORK_ULAW || law == RTPFORK_ALAW;
}

static bool is_source_sane(const struct rtpfork_source *source)
{
	return is_extended(source->base) && is_extended(source->highest) &&
	       source->received < (uint64_t)MOST_EXTENDED &&
	       source->expected_prior < (uint64_t)MOST_EXTENDED &&
	       source->received_prior < (uint64_t)MOST_EXTENDED;
}

static bool is_tone_sane(const struct tone *tone)
{
	if (tone->what.type_count > RTPFORK_MAX_TONE_TYPES)
		return false;
	for (size_t i = 0; i < tone->what.type_count; i++)
		if (!is_law(tone->what.types[i].law))
			return false;
	return true;
}

bool state_port_is_sane(const struct port *port)
{
	return are_truths(port, PORT_TRUTHS, sizeof PORT_TRUTHS / sizeof *PORT_TRUTHS) &&
	       port->clock_rate != 0 && port->event_type_count <= RTPFORK_MAX_EVENT_TYPES &&
	       is_source_sane(&port->source) && is_tone_sane(&port->tone) &&
	       is_law(port->speech.what.law) && port->receive.most_before == KEYS_BEFORE &&
	       port->send.most_before == SEND_KEYS_BEFORE;
}

bool state_fork_is_sane(const struct fork *fork)
{
	const struct rtpfork_reader *reader = &fork->reader;
	return are_truths(fork, FORK_TRUTHS, sizeof FORK_TRUTHS / sizeof *FORK_TRUTHS) &&
	       reader->clock_rate != 0 && is_extended(reader->floor) &&
	       is_extended(reader->sequence_offset) && is_extended(reader->paused_before) &&
	       is_extended(reader->next_sequence) &&
	       memchr(fork->cname, '\0', sizeof fork->cname) != NULL &&
	       fork->receive.most_before == KEYS_BEFORE && fork->send.most_before == KEYS_BEFORE;
}

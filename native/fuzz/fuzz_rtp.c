/* Whatever arrives, parsing an RTP packet stays inside it, and its parts add up. */
#include <stdlib.h>
#include <string.h>

#include "rtpfork/errors.h"
#include "rtpfork/event.h"
#include "rtpfork/rtp.h"
#include "rtpfork/source.h"

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void copy_keeps_the_rest(const uint8_t *data, size_t bytes, const struct rtpfork_rtp *rtp)
{
	uint8_t copy[4096];
	struct rtpfork_rtp again;
	struct rtpfork_rtp_rewrite to = {
		.ssrc = 1, .timestamp = 2, .sequence = 3, .payload_type = 4};

	if (rtpfork_rtp_copy(data, bytes, &to, copy, sizeof copy))
		return;
	must(rtpfork_rtp_parse(copy, bytes, &again) == RTPFORK_OK);
	must(again.ssrc == 1 && again.timestamp == 2 && again.sequence == 3 &&
	     again.payload_type == 4);
	must(again.payload_bytes == rtp->payload_bytes && again.header_bytes == rtp->header_bytes);
	must(memcmp(copy + 12, data + 12, bytes - 12) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct rtpfork_source source;
	static struct rtpfork_event_tracker tracker;
	static uint64_t now_ns;
	struct rtpfork_rtp rtp;
	struct rtpfork_event event;
	struct rtpfork_event_ended ended[RTPFORK_EVENT_ENDED_MAX];
	struct rtpfork_rtcp_block block;

	enum rtpfork_kind kind = rtpfork_classify(data, bytes);
	int error = rtpfork_rtp_parse(data, bytes, &rtp);
	if (error)
		return (int)kind * 256 - error;
	must(rtp.header_bytes + rtp.payload_bytes + rtp.padding_bytes == bytes);
	copy_keeps_the_rest(data, bytes, &rtp);
	now_ns += 20000000;
	rtp.ssrc %= 2;
	struct rtpfork_source_packet packet =
		rtpfork_source_receive(&source, &rtp, now_ns, rtp.payload_type == 101 ? 0 : 8000);
	must(rtpfork_source_report(&source, &block));
	size_t count = 0;
	if (!rtpfork_event_parse(data + rtp.header_bytes, rtp.payload_bytes, &event))
		count = rtpfork_event_receive(&tracker, rtp.timestamp, &event, ended);
	must(count <= RTPFORK_EVENT_ENDED_MAX);
	return 4096 + (int)packet.verdict * 512 + (int)count * 128 + rtp.csrc_count * 4 +
	       rtp.extension * 2 + rtp.padding;
}

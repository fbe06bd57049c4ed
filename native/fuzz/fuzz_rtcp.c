/* Whatever arrives, a compound that passes the check is read to its end inside its bounds. */
#include <stdlib.h>

#include "rtpfork/errors.h"
#include "rtpfork/rtcp.h"

static void must(bool condition)
{
	if (!condition)
		abort();
}

static int read_all(const uint8_t *data, size_t bytes)
{
	struct rtpfork_rtcp_packet packet;
	size_t offset = 0;
	unsigned feature = 0;

	while (rtpfork_rtcp_next(data, bytes, &offset, &packet)) {
		struct rtpfork_rtcp_sender sender;
		struct rtpfork_rtcp_block block;
		uint64_t round_trip_us;
		size_t blocks = 0;

		must(packet.body >= data && packet.body + packet.body_bytes <= data + bytes);
		bool is_sender = rtpfork_rtcp_sender(&packet, &sender);
		while (rtpfork_rtcp_block(&packet, blocks, &block)) {
			rtpfork_rtcp_round_trip(&block, sender.ntp * is_sender, &round_trip_us);
			blocks++;
		}
		must(blocks == 0 || blocks == packet.count);
		bool bye = rtpfork_rtcp_says_bye(&packet, 9);
		feature = feature * 5 + packet.type % 8u * 4 + (unsigned)blocks * 2 + bye;
	}
	must(offset == bytes);
	return 16 + (int)(feature % 60000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	int error = rtpfork_rtcp_check(data, bytes);

	return error ? -error : read_all(data, bytes);
}

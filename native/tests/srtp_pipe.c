/* SRTP behind a pipe, so that tests in other languages can compare it with other implementations.
 *
 * A request on stdin is a length (4 octets, network order) and as many octets: operation, slot,
 * data. k, K    make the slot's key for sending (k) or receiving (K): suite name, NUL, master key
 * and salt p, u    protect or unprotect an RTP packet       P, U    the same for RTCP The answer on
 * stdout is a length, one octet with the negated result, and the packet if there is one. */
#include "rtpfork/srtp.h"

#include <stdio.h>
#include <string.h>

#include "rtpfork/errors.h"
#include "rtpfork/octets.h"

enum { SLOTS = 16, REQUEST_MAX_BYTES = 65536, ROOM = REQUEST_MAX_BYTES + 64 };

static struct rtpfork_crypto *crypto;
static struct rtpfork_srtp_key keys[SLOTS];

static int make_key(struct rtpfork_srtp_key *key, const uint8_t *data, size_t bytes,
		    enum rtpfork_srtp_direction direction)
{
	const uint8_t *end = memchr(data, 0, bytes);

	if (!end)
		return RTPFORK_EARGUMENT;
	const struct rtpfork_srtp_suite *suite = rtpfork_srtp_suite((const char *)data);
	if (!suite)
		return RTPFORK_ESUITE;
	return rtpfork_srtp_key_init(key, crypto, suite, end + 1, bytes - (size_t)(end + 1 - data),
				     direction);
}

static int perform(const uint8_t *request, size_t bytes, uint8_t *out, size_t *out_bytes)
{
	if (bytes < 2 || request[1] >= SLOTS)
		return RTPFORK_EARGUMENT;
	struct rtpfork_srtp_key *key = &keys[request[1]];
	const uint8_t *data = request + 2;
	bytes -= 2;
	switch (request[0]) {
	case 'k':
		return make_key(key, data, bytes, RTPFORK_SRTP_SEND);
	case 'K':
		return make_key(key, data, bytes, RTPFORK_SRTP_RECEIVE);
	case 'p':
		return rtpfork_srtp_protect(key, crypto, data, bytes, out, ROOM, out_bytes);
	case 'u':
		return rtpfork_srtp_unprotect(key, crypto, data, bytes, out, ROOM, out_bytes);
	case 'P':
		return rtpfork_srtcp_protect(key, crypto, data, bytes, out, ROOM, out_bytes);
	case 'U':
		return rtpfork_srtcp_unprotect(key, crypto, data, bytes, out, ROOM, out_bytes);
	default:
		return RTPFORK_EARGUMENT;
	}
}

int main(void)
{
	static uint8_t request[REQUEST_MAX_BYTES], answer[5 + ROOM];
	uint8_t length[4];

	if (rtpfork_crypto_new(&crypto))
		return 1;
	while (fread(length, sizeof length, 1, stdin) == 1) {
		size_t bytes = rtpfork_get_u32(length), out_bytes = 0;
		if (bytes > sizeof request || fread(request, 1, bytes, stdin) != bytes)
			break;
		int error = perform(request, bytes, answer + 5, &out_bytes);
		if (error)
			out_bytes = 0;
		rtpfork_put_u32(answer, (uint32_t)out_bytes + 1);
		answer[4] = (uint8_t)-error;
		if (fwrite(answer, 5 + out_bytes, 1, stdout) != 1 || fflush(stdout))
			break;
	}
	for (size_t i = 0; i < SLOTS; i++)
		rtpfork_srtp_key_clear(&keys[i]);
	rtpfork_crypto_free(crypto);
	return 0;
}

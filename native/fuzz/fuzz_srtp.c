/* Whatever arrives, nothing that was not protected with the key is opened, and what is protected is
 * opened again. The first octet of an input chooses suite and transform. */
#include <stdlib.h>
#include <string.h>

#include "rtpfork/errors.h"
#include "rtpfork/srtp.h"

enum { ROOM = 4096 + 32 };

typedef int transform_fn(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
			 const uint8_t *src, size_t bytes, uint8_t *dst, size_t room,
			 size_t *dst_bytes);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void make_key(struct rtpfork_srtp_key *key, struct rtpfork_crypto *crypto,
		     const struct rtpfork_srtp_suite *suite, enum rtpfork_srtp_direction direction)
{
	static const uint8_t material[RTPFORK_SRTP_MATERIAL_BYTES] = {1, 2, 3};

	must(rtpfork_srtp_key_init(key, crypto, suite, material,
				   (size_t)suite->key_bytes + suite->salt_bytes,
				   direction) == RTPFORK_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct rtpfork_crypto *crypto;
	struct rtpfork_srtp_key send, receive;
	uint8_t sealed[ROOM], opened[ROOM];
	size_t suites, sealed_bytes, opened_bytes;

	if (!crypto)
		must(rtpfork_crypto_new(&crypto) == RTPFORK_OK);
	if (bytes == 0)
		return 0;
	const struct rtpfork_srtp_suite *suite = rtpfork_srtp_suites(&suites);
	suite += data[0] % suites;
	bool rtcp = data[0] & 0x80;
	transform_fn *protect = rtcp ? rtpfork_srtcp_protect : rtpfork_srtp_protect;
	transform_fn *unprotect = rtcp ? rtpfork_srtcp_unprotect : rtpfork_srtp_unprotect;
	make_key(&send, crypto, suite, RTPFORK_SRTP_SEND);
	make_key(&receive, crypto, suite, RTPFORK_SRTP_RECEIVE);
	data++;
	bytes--;

	int forged = unprotect(&receive, crypto, data, bytes, opened, sizeof opened, &opened_bytes);
	must(forged != RTPFORK_OK);
	int error = protect(&send, crypto, data, bytes, sealed, sizeof sealed, &sealed_bytes);
	if (!error) {
		must(unprotect(&receive, crypto, sealed, sealed_bytes, opened, sizeof opened,
			       &opened_bytes) == RTPFORK_OK);
		must(opened_bytes == bytes && memcmp(opened, data, bytes) == 0);
		must(unprotect(&receive, crypto, sealed, sealed_bytes, opened, sizeof opened,
			       &opened_bytes) == RTPFORK_EREPLAY);
	}
	return 1 + (int)(suite - rtpfork_srtp_suites(&suites)) * 512 + rtcp * 256 - forged * 16 -
	       error;
}

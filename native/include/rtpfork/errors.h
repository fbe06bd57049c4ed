/* Results of every rtpfork_ function: RTPFORK_OK or one negative code. */
#ifndef RTPFORK_ERRORS_H
#define RTPFORK_ERRORS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum rtpfork_error {
	RTPFORK_OK = 0,

	/* The datagram is at fault. */
	RTPFORK_ETRUNCATED = -1, /* shorter than its own header says */
	RTPFORK_EVERSION = -2,	 /* version is not 2 (RFC 3550 5.1, 6.1) */
	RTPFORK_EMALFORMED = -3, /* breaks a rule of its format */
	RTPFORK_EAUTH = -4,	 /* authentication tag does not fit (RFC 3711 3.3, 3.4) */
	RTPFORK_EREPLAY = -5,	 /* index was seen, or is older than the window (RFC 3711 3.3.2) */
	RTPFORK_ECLEAR = -6,	 /* SRTCP whose E flag is not set (RFC 3711 3.4, RFC 4568 6.3.2) */

	/* The caller is at fault. */
	RTPFORK_EARGUMENT = -20,  /* outside the contract of the function */
	RTPFORK_ENOROOM = -21,	  /* the output buffer is too small; nothing was written */
	RTPFORK_ESUITE = -22,	  /* no such crypto-suite (RFC 4568 6.2) */
	RTPFORK_EKEYLENGTH = -23, /* key and salt are not as long as the suite wants */
	RTPFORK_EGONE = -24,	  /* stale id */

	/* There is no room. */
	RTPFORK_ENOMEM = -40,	  /* out of memory */
	RTPFORK_EKEYSPENT = -41,  /* key has protected all it may (RFC 3711 9.2) */
	RTPFORK_ESOURCES = -42,	  /* a key protects too many SSRCs */
	RTPFORK_EEXHAUSTED = -43, /* a bounded table, ring or port range is full */

	/* The platform is at fault. */
	RTPFORK_ESYSTEM = -60,	/* a system call failed; errno says why */
	RTPFORK_ECRYPTO = -61,	/* libcrypto failed */
	RTPFORK_EDAMAGED = -62, /* what another process has left cannot be taken up */
};

/* Whether |system_error|, an errno of a send, says that the kernel has no room for more just now.
 */
bool rtpfork_is_full(int system_error);

/* English words for |error|, for logs. Static storage, never NULL, any thread. */
const char *rtpfork_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif

/* Words for the error codes. */
#include "rtpfork/errors.h"

#include <errno.h>

bool rtpfork_is_full(int system_error)
{
	return system_error == EAGAIN || system_error == ENOBUFS || system_error == ENOMEM;
}

const char *rtpfork_strerror(int error)
{
	switch (error) {
	case RTPFORK_OK:
		return "success";
	case RTPFORK_ETRUNCATED:
		return "packet is shorter than its header says";
	case RTPFORK_EVERSION:
		return "packet is not of version 2";
	case RTPFORK_EMALFORMED:
		return "packet breaks a rule of its format";
	case RTPFORK_EAUTH:
		return "authentication failed";
	case RTPFORK_EREPLAY:
		return "packet was seen before or is too old";
	case RTPFORK_ECLEAR:
		return "SRTCP packet is not encrypted";
	case RTPFORK_EARGUMENT:
		return "argument out of range";
	case RTPFORK_ENOROOM:
		return "buffer is too small";
	case RTPFORK_ESUITE:
		return "unknown crypto-suite";
	case RTPFORK_EKEYLENGTH:
		return "key and salt do not fit the crypto-suite";
	case RTPFORK_EGONE:
		return "id is stale";
	case RTPFORK_ENOMEM:
		return "out of memory";
	case RTPFORK_EKEYSPENT:
		return "key has protected all it may";
	case RTPFORK_ESOURCES:
		return "too many sources under one key";
	case RTPFORK_EEXHAUSTED:
		return "table, ring or port range is full";
	case RTPFORK_ESYSTEM:
		return "system call failed";
	case RTPFORK_ECRYPTO:
		return "libcrypto failed";
	case RTPFORK_EDAMAGED:
		return "the state that was left is not sound";
	default:
		return "unknown error";
	}
}

/* Assertions of the native tests: a failure names its place and what was found, and ends the
 * program. */
#ifndef RTPFORK_TESTS_CHECK_H
#define RTPFORK_TESTS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			check_fail(__FILE__, __LINE__, #condition);                                \
	} while (0)

#define CHECK_EQ(actual, expected)                                                                 \
	check_eq(__FILE__, __LINE__, #actual, (intmax_t)(actual), (intmax_t)(expected))

#define CHECK_BYTES(actual, expected, bytes)                                                       \
	check_bytes(__FILE__, __LINE__, #actual, (actual), (expected), (bytes))

/* Run one test function and say so: the name is the truth that it proves. */
#define RUN(test)                                                                                  \
	do {                                                                                       \
		test();                                                                            \
		check_passed(#test);                                                               \
	} while (0)

static inline void check_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	exit(1);
}

static inline void check_eq(const char *file, int line, const char *what, intmax_t actual,
			    intmax_t expected)
{
	if (actual == expected)
		return;
	fprintf(stderr, "%s:%d: %s is %jd, expected %jd\n", file, line, what, actual, expected);
	exit(1);
}

static inline void check_bytes(const char *file, int line, const char *what, const void *actual,
			       const void *expected, size_t bytes)
{
	const unsigned char *a = actual;
	const unsigned char *e = expected;

	for (size_t i = 0; i < bytes; i++) {
		if (a[i] == e[i])
			continue;
		fprintf(stderr, "%s:%d: octet %zu of %s is %02x, expected %02x\n", file, line, i,
			what, a[i], e[i]);
		exit(1);
	}
}

static inline void check_passed(const char *name)
{
	if (getenv("VERBOSE"))
		printf("ok %s\n", name);
}

/* Octets of the hexadecimal |text| into |out|; returns how many. */
static inline size_t check_hex(const char *text, unsigned char *out)
{
	size_t bytes = strlen(text) / 2;

	for (size_t i = 0; i < bytes; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], 0};
		out[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return bytes;
}

#endif

/* Fuzzing without libFuzzer: runs the corpus, then mutates it until the time is over.
 *
 * Takes libFuzzer's -max_total_time=SECONDS and -seed=NUMBER, and files or folders of the corpus. A
 * failing input is what ASan, UBSan or an assertion of the target stops at; it lies in
 * build/crash-input then. Feedback is the target's return value: an input with a value not seen
 * before is kept. */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sanitizer/common_interface_defs.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { INPUT_MAX_BYTES = 4096, CORPUS_MAX = 1024, FEATURES = 65536, RUNS_PER_CLOCK = 1024 };

struct input {
	uint8_t *data;
	size_t bytes;
};

static struct input corpus[CORPUS_MAX];
static size_t corpus_count;
static bool seen[FEATURES];
static uint8_t now_running[INPUT_MAX_BYTES];
static size_t now_running_bytes;
static uint64_t random_state = 1;

static void save_crash(void)
{
	FILE *file = fopen("build/crash-input", "wb");

	if (!file)
		return;
	fwrite(now_running, 1, now_running_bytes, file);
	fclose(file);
	fprintf(stderr, "input of %zu octets is in build/crash-input\n", now_running_bytes);
}

static void on_abort(int signal_number)
{
	save_crash();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static uint64_t random_below(uint64_t limit)
{
	random_state ^= random_state << 13; /* xorshift64 */
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return limit ? random_state % limit : 0;
}

static void keep(const uint8_t *data, size_t bytes)
{
	if (corpus_count == CORPUS_MAX)
		return;
	uint8_t *copy = malloc(bytes ? bytes : 1);
	if (!copy)
		return;
	memcpy(copy, data, bytes);
	corpus[corpus_count++] = (struct input){copy, bytes};
}

/* Run one input in a block of just its size; returns whether it did something new. */
static bool run(const uint8_t *data, size_t bytes)
{
	uint8_t *exact = malloc(bytes ? bytes : 1);

	if (!exact)
		return false;
	memcpy(exact, data, bytes);
	memmove(now_running, data, bytes);
	now_running_bytes = bytes;
	unsigned feature = (unsigned)LLVMFuzzerTestOneInput(exact, bytes) % FEATURES;
	free(exact);
	bool fresh = !seen[feature];
	seen[feature] = true;
	return fresh;
}

static void load_file(const char *path)
{
	uint8_t data[INPUT_MAX_BYTES];
	FILE *file = fopen(path, "rb");

	if (!file)
		return;
	size_t bytes = fread(data, 1, sizeof data, file);
	fclose(file);
	run(data, bytes);
	keep(data, bytes);
}

static void load(const char *path)
{
	DIR *folder = opendir(path);

	if (!folder) {
		load_file(path);
		return;
	}
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
		char name[4096];
		struct stat status;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (stat(name, &status) == 0 && S_ISREG(status.st_mode))
			load_file(name);
	}
	closedir(folder);
}

static size_t mutate_once(uint8_t *data, size_t bytes)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xc8, 0xfe, 0xff};
	size_t at = random_below(bytes);

	switch (random_below(6)) {
	case 0: /* flip a bit */
		if (bytes)
			data[at] ^= (uint8_t)(1u << random_below(8));
		return bytes;
	case 1: /* set an octet */
		if (bytes)
			data[at] = (uint8_t)random_below(256);
		return bytes;
	case 2: /* set an octet that lies at an edge */
		if (bytes)
			data[at] = edges[random_below(sizeof edges)];
		return bytes;
	case 3: /* cut */
		return random_below(bytes + 1);
	case 4: { /* insert */
		size_t more = 1 + random_below(8);
		if (bytes + more > INPUT_MAX_BYTES)
			return bytes;
		memmove(data + at + more, data + at, bytes - at);
		for (size_t i = 0; i < more; i++)
			data[at + i] = (uint8_t)random_below(256);
		return bytes + more;
	}
	default: { /* cross with another input */
		const struct input *other = &corpus[random_below(corpus_count)];
		size_t from = random_below(other->bytes);
		size_t take = other->bytes - from;
		if (at + take > INPUT_MAX_BYTES)
			take = INPUT_MAX_BYTES - at;
		memcpy(data + at, other->data + from, take);
		return at + take > bytes ? at + take : bytes;
	}
	}
}

static uint64_t fuzz_for(double seconds)
{
	uint8_t data[INPUT_MAX_BYTES];
	uint64_t runs = 0;
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		for (int i = 0; i < RUNS_PER_CLOCK; i++, runs++) {
			const struct input *parent = &corpus[random_below(corpus_count)];
			size_t bytes = parent->bytes;
			memcpy(data, parent->data, bytes);
			for (uint64_t turns = 1 + random_below(6); turns; turns--)
				bytes = mutate_once(data, bytes);
			if (run(data, bytes))
				keep(data, bytes);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9 <
		 seconds);
	return runs;
}

int main(int argc, char **argv)
{
	double seconds = 10;

	signal(SIGABRT, on_abort);
	__sanitizer_set_death_callback(save_crash);
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-max_total_time=", 16) == 0)
			seconds = strtod(argv[i] + 16, NULL);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			random_state = strtoull(argv[i] + 6, NULL, 10) | 1;
		else
			load(argv[i]);
	}
	run(now_running, 0);
	keep(now_running, 0);
	size_t given = corpus_count;
	uint64_t runs = fuzz_for(seconds);
	printf("%s: %zu inputs given, %zu found, %llu runs\n", argv[0], given, corpus_count - given,
	       (unsigned long long)runs);
	for (size_t i = 0; i < corpus_count; i++)
		free(corpus[i].data);
	return 0;
}

/* The ring between two threads: order, fullness, and no torn element (run under TSan too). */
#include "rtpfork/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "check.h"

#define ELEMENTS 200000U

struct element {
	uint64_t number;
	uint64_t check; /* ~number */
};

static void odd_sizes_are_refused(void)
{
	CHECK(rtpfork_ring_new(0, 8) == NULL);
	CHECK(rtpfork_ring_new(3, 8) == NULL);
	CHECK(rtpfork_ring_new(4, 0) == NULL);
	rtpfork_ring_free(NULL);
}

static void a_full_ring_takes_nothing_and_an_empty_one_gives_nothing(void)
{
	struct rtpfork_ring *ring = rtpfork_ring_new(4, sizeof(int));
	int out = 0;
	CHECK(ring != NULL);
	for (int turn = 0; turn < 5; turn++) {
		CHECK(!rtpfork_ring_pop(ring, &out));
		for (int i = 0; i < 4; i++)
			CHECK(rtpfork_ring_push(ring, &i));
		CHECK(!rtpfork_ring_push(ring, &out));
		for (int i = 0; i < 4; i++) {
			CHECK(rtpfork_ring_pop(ring, &out));
			CHECK_EQ(out, i);
		}
	}
	rtpfork_ring_free(ring);
}

static void *produce(void *argument)
{
	for (uint64_t i = 0; i < ELEMENTS;) {
		struct element element = {.number = i, .check = ~i};
		if (rtpfork_ring_push(argument, &element))
			i++;
		else
			sched_yield();
	}
	return NULL;
}

static void what_one_thread_pushes_another_pops_in_order_and_whole(void)
{
	struct rtpfork_ring *ring = rtpfork_ring_new(64, sizeof(struct element));
	pthread_t producer;
	CHECK(ring != NULL);
	CHECK(pthread_create(&producer, NULL, produce, ring) == 0);
	for (uint64_t i = 0; i < ELEMENTS;) {
		struct element element;
		if (!rtpfork_ring_pop(ring, &element)) {
			sched_yield();
			continue;
		}
		CHECK(element.number == i && element.check == ~i);
		i++;
	}
	pthread_join(producer, NULL);
	rtpfork_ring_free(ring);
}

int main(void)
{
	RUN(odd_sizes_are_refused);
	RUN(a_full_ring_takes_nothing_and_an_empty_one_gives_nothing);
	RUN(what_one_thread_pushes_another_pops_in_order_and_whole);
	return 0;
}

/* Which thread gets the next call. */
#include "../src/placement.h"

#include "check.h"

#define LOOK_NS 500000000U

/* A placement for two threads that has looked once; |now_ns| is then 1 s. */
static struct placement started(void)
{
	static const uint64_t idle[2];
	struct placement placement = {.threads = 2};
	placement_look(&placement, idle, 1000000000U);
	return placement;
}

/* Each thread was busy for its share of the next half a second; again and again, until that is what
 * is known of them. */
static void live(struct placement *placement, double first, double second)
{
	uint64_t busy_ns[2];
	for (int i = 0; i < 20; i++) {
		busy_ns[0] = placement->loads[0].busy_ns + (uint64_t)(first * LOOK_NS);
		busy_ns[1] = placement->loads[1].busy_ns + (uint64_t)(second * LOOK_NS);
		placement_look(placement, busy_ns, placement->looked_ns + LOOK_NS);
	}
}

static size_t open_calls(struct placement *placement, int calls)
{
	size_t before = placement->loads[1].ports;
	for (int i = 0; i < calls; i++)
		placement_opened(placement, placement_choose(placement), 4);
	return (placement->loads[1].ports - before) / 4;
}

static void threads_with_nothing_to_do_get_calls_in_turn(void)
{
	struct placement placement = started();
	CHECK_EQ(open_calls(&placement, 10), 5);
	placement_closed(&placement, 1, 20);
	CHECK_EQ(open_calls(&placement, 5), 5);
}

static void a_call_goes_to_the_thread_that_is_less_busy_although_it_has_more_of_them(void)
{
	struct placement placement = started();
	placement_opened(&placement, 1, 400);
	placement_opened(&placement, 0, 40);
	live(&placement, 0.6, 0.3);
	CHECK_EQ(placement_choose(&placement), 1);
}

/* Calls that ring cost nothing yet, and do not all go where it is a bit quieter. */
static void a_burst_of_calls_is_spread_before_any_of_them_speaks(void)
{
	struct placement placement = started();
	CHECK_EQ(open_calls(&placement, 400), 200);
	live(&placement, 0.42, 0.40);
	size_t second = open_calls(&placement, 200);
	CHECK(second > 100);
	CHECK(second < 120);
}

static void the_difference_is_made_up_for_by_new_calls(void)
{
	struct placement placement = started();
	CHECK_EQ(open_calls(&placement, 400), 200);
	live(&placement, 0.6, 0.2);
	CHECK_EQ(open_calls(&placement, 100), 100);
}

static void a_moment_of_work_is_not_taken_for_a_load(void)
{
	struct placement placement = started();
	uint64_t busy_ns[2] = {LOOK_NS, 0};
	placement_look(&placement, busy_ns, placement.looked_ns + LOOK_NS);
	CHECK(placement.loads[0].share <= 0.5);
	live(&placement, 0, 0);
	CHECK(placement.loads[0].share < 0.001);
}

static void looks_are_not_closer_than_they_tell_something(void)
{
	struct placement placement = started();
	CHECK(!placement_wants(&placement, placement.looked_ns + PLACEMENT_LOOK_NS - 1));
	CHECK(placement_wants(&placement, placement.looked_ns + PLACEMENT_LOOK_NS));
}

int main(void)
{
	RUN(threads_with_nothing_to_do_get_calls_in_turn);
	RUN(a_call_goes_to_the_thread_that_is_less_busy_although_it_has_more_of_them);
	RUN(a_burst_of_calls_is_spread_before_any_of_them_speaks);
	RUN(the_difference_is_made_up_for_by_new_calls);
	RUN(a_moment_of_work_is_not_taken_for_a_load);
	RUN(looks_are_not_closer_than_they_tell_something);
	return 0;
}

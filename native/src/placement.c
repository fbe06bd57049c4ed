/* Loads of the recent past, and what the youngest ports will add to them. */
#include "placement.h"

#include <math.h>

#define SMOOTHING 0.5	       /* weight of the newest look */
#define YOUTH_NS  5000000000.0 /* a call that was set up so long ago mostly speaks */

bool placement_wants(const struct placement *placement, uint64_t now_ns)
{
	return now_ns - placement->looked_ns >= PLACEMENT_LOOK_NS;
}

static double share_of(uint64_t part_ns, uint64_t whole_ns)
{
	return part_ns >= whole_ns ? 1.0 : (double)part_ns / (double)whole_ns;
}

void placement_look(struct placement *placement, const uint64_t *busy_ns, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - placement->looked_ns;
	double grown_up = exp(-(double)elapsed_ns / YOUTH_NS);
	for (uint32_t i = 0; i < placement->threads; i++) {
		struct thread_load *load = &placement->loads[i];
		double share = share_of(busy_ns[i] - load->busy_ns, elapsed_ns);
		if (placement->looked_ns != 0)
			load->share += (share - load->share) * SMOOTHING;
		load->busy_ns = busy_ns[i];
		load->fresh *= grown_up;
	}
	placement->looked_ns = now_ns;
}

/* What one port costs, on the average of all. */
static double cost_of_a_port(const struct placement *placement)
{
	double share = 0;
	size_t ports = 0;
	for (uint32_t i = 0; i < placement->threads; i++) {
		share += placement->loads[i].share;
		ports += placement->loads[i].ports;
	}
	return ports == 0 ? 0 : share / (double)ports;
}

uint32_t placement_choose(const struct placement *placement)
{
	double cost = cost_of_a_port(placement);
	uint32_t best = 0;
	double least = INFINITY;
	for (uint32_t i = 0; i < placement->threads; i++) {
		const struct thread_load *load = &placement->loads[i];
		double expected = load->share + cost * load->fresh;
		if (expected > least ||
		    (expected == least && load->ports >= placement->loads[best].ports))
			continue;
		best = i;
		least = expected;
	}
	return best;
}

void placement_opened(struct placement *placement, uint32_t thread, size_t ports)
{
	placement->loads[thread].ports += ports;
	placement->loads[thread].fresh += (double)ports;
}

void placement_closed(struct placement *placement, uint32_t thread, size_t ports)
{
	placement->loads[thread].ports -= ports;
}

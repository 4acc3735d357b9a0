/*
 * Heaps against a plain table of keys: random nodes come, go and change places between two heaps, and
 * after each step every node stands where one of its key may, on a way to the right that is short. What
 * comes out in the end comes out in order. And each step on thousands is as short as it is said to be.
 */
#undef NDEBUG
#include <assert.h>

#include "osd/kernel/base/heap.h"

#define N_NODES 24u
#define N_STEPS 200000u
#define N_MANY 16384u
#define N_KEYS 16u /* few, so that many are equal */

static struct heap heads[2], nodes[N_NODES], many[N_MANY];

/* The model: in which heap each is, by which key; 2: none. */
static struct {
	uint32_t in, turn;
	uint64_t key;
} model[N_NODES];
static uint32_t n_added;

static uint32_t draw(uint32_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

static uint32_t rank_of(const struct heap *node)
{
	return node != NULL ? node->rank : 0;
}

static bool is_before(const struct heap *a, const struct heap *b)
{
	__typeof__(model[0]) of_a = model[a - nodes], of_b = model[b - nodes];

	return of_a.key < of_b.key || (of_a.key == of_b.key && of_a.turn < of_b.turn);
}

/* Return how many there are from this one down. */
static uint32_t check_below(const struct heap *node, const struct heap *above, uint32_t in)
{
	if (node == NULL) {
		return 0;
	}
	assert(node->above == above && rank_of(node->left) >= rank_of(node->right));
	assert(node->rank == rank_of(node->right) + 1);
	assert(above == &heads[in] || is_before(above, node));
	assert(model[node - nodes].in == in && model[node - nodes].key == node->key);
	return 1 + check_below(node->left, node, in) + check_below(node->right, node, in);
}

static void check_all(void)
{
	for (uint32_t in = 0; in < 2; in++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < N_NODES; i++) {
			n += model[i].in == in;
		}
		assert(heads[in].right == NULL && !heap_is_in(&heads[in]));
		assert(check_below(heap_first(&heads[in]), &heads[in], in) == n);
	}
	for (uint32_t i = 0; i < N_NODES; i++) {
		assert(heap_is_in(&nodes[i]) == (model[i].in < 2));
	}
}

static void step_add(uint32_t i)
{
	if (model[i].in == 2) {
		model[i].in = draw(2);
		model[i].key = draw(N_KEYS);
		model[i].turn = ++n_added;
		heap_add(&heads[model[i].in], &nodes[i], model[i].key);
	}
}

static void step_exchange(uint32_t i, uint32_t k)
{
	__typeof__(model[0]) was = model[i];

	heap_exchange(&nodes[i], &nodes[k]);
	model[i] = model[k];
	model[k] = was;
	assert(nodes[i].key == model[i].key && nodes[k].key == model[k].key);
}

static void step(void)
{
	uint32_t i = draw(N_NODES);

	switch (draw(5)) {
	case 0:
	case 1:
		step_add(i);
		break;
	case 2:
		step_exchange(i, draw(N_NODES));
		break;
	case 3:
		if (heap_first(&heads[i % 2]) != NULL) {
			i = (uint32_t)(heap_first(&heads[i % 2]) - nodes);
		}
		/* fall through */
	default:
		heap_remove(&nodes[i]);
		assert(nodes[i].key == model[i].key);
		model[i].in = 2;
	}
}

static void test_random(void)
{
	heap_init(&heads[0]);
	heap_init(&heads[1]);
	heads[0].turn = heads[1].turn = UINT32_MAX - 1000; /* both wrap */
	for (uint32_t i = 0; i < N_NODES; i++) {
		heap_init(&nodes[i]);
		model[i].in = 2;
	}
	for (uint32_t i = 0; i < N_STEPS; i++) {
		step();
		check_all();
	}
}

/* Each in turn has the smallest, the largest or any key: no way to the right is longer than 14. */
static void many_add(uint32_t order)
{
	heap_init(&heads[0]);
	for (uint32_t i = 0; i < N_MANY; i++) {
		uint64_t keys[] = {i, N_MANY - i, draw(N_MANY)};

		heap_add(&heads[0], &many[i], keys[order]);
		assert(heap_first(&heads[0])->rank <= 15);
	}
}

static void test_many(void)
{
	for (uint32_t order = 0; order < 3; order++) {
		uint64_t last = 0;

		many_add(order);
		for (uint32_t i = 0; i < N_MANY; i += 3) {
			heap_remove(&many[i]);
		}
		for (uint32_t i = 0; i < N_MANY - (N_MANY + 2) / 3; i++) {
			struct heap *first = heap_first(&heads[0]);

			assert(first->key >= last && first->rank <= 15);
			last = first->key;
			heap_remove(first);
		}
		assert(heap_first(&heads[0]) == NULL);
	}
}

int main(void)
{
	test_random();
	test_many();
	return 0;
}

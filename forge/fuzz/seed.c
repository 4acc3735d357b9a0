/* Something of every kind of type, for the fuzzers to take apart. */
#include <stdbool.h>
#include <stdint.h>

#define TAG(text) __attribute__((btf_decl_tag(text)))

enum seed_color { SEED_RED, SEED_BLUE = 5, SEED_LARGE = 0x7fffffff };
typedef uint32_t seed_number_t;

union seed_value {
	int64_t number;
	const char *text TAG("samsara:when=1");
};

struct seed_node {
	struct seed_node *next;
	enum seed_color color : 4;
	unsigned int flags : 3;
	union seed_value value TAG("samsara:tag=color");
	seed_number_t counts[3][2];
	bool is_last;
	double weight;
	void (*call)(struct seed_node *node);
};

static struct seed_node seed_nodes[4] TAG("samsara:skip");
const volatile int seed_constant = 7;

int seed_second(int n);
int seed_second(int n)
{
	static int seed_calls;

	seed_calls += n;
	return seed_calls + seed_nodes[n & 3].counts[0][1];
}

int seed_first(void);
int seed_first(void)
{
	seed_nodes[0].next = &seed_nodes[1];
	return seed_second(seed_constant);
}

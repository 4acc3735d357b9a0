/* Formatting of the kernel's log against the host's printf; the random source against itself. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "osd/kernel/base/log.h"
#include "osd/kernel/base/random.h"
#include "osd/kernel/test/fake.h"

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char wanted[512];                                                                  \
		int n = snprintf(wanted, sizeof(wanted), __VA_ARGS__);                             \
		n_fake_log = 0;                                                                    \
		log_printf(__VA_ARGS__);                                                           \
		assert(n_fake_log == (size_t)n && !memcmp(wanted, fake_log, n_fake_log));          \
	} while (0)

void fake_delivered(const struct message *message)
{
	(void)message;
}

static void test_log(void)
{
	SAME("plain");
	SAME("%s|%8s|%-8s|%.3s|%.*s", "abc", "abc", "abc", "abcdef", 2, "xyz");
	SAME("%d %d %ld %ld", 0, -1, INT64_MIN, INT64_MAX);
	SAME("%u %lu %x %lx %016lx", 0u, UINT64_MAX, 0xabcu, UINT64_MAX, 0xdeadul);
	SAME("%5d|%-5d|%05d", 42, 42, 42);
	SAME("%c%%%c", 'a', 'b');
	SAME("%300s|", "wider than the line buffer");
}

static void test_random(void)
{
	uint8_t seed[32] = {1}, other[32] = {2};
	uint64_t first[64];

	random_init(seed);
	for (int i = 0; i < 64; i++) {
		first[i] = random_next();
		for (int j = 0; j < i; j++) {
			assert(first[i] != first[j]);
		}
	}
	random_init(other);
	for (int i = 0; i < 64; i++) {
		assert(random_next() != first[i]);
	}
}

int main(void)
{
	test_log();
	test_random();
	return 0;
}

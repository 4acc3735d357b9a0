/* Values as a person reads them: what an answer of a lud gone wrong may bring. */
#undef NDEBUG
#include <assert.h>

#include "ctl/base/text.h"

int main(void)
{
	static const struct {
		int64_t from, until, between;
	} cases[] = {
	        {5, 7, 2},
	        {7, 5, -2},
	        {0, INT64_MIN, -INT64_MAX},
	        {1, INT64_MIN, -INT64_MAX},
	        {-1, INT64_MAX, INT64_MAX},
	        {INT64_MIN, 0, INT64_MAX},
	        {INT64_MIN, INT64_MAX, INT64_MAX},
	        {INT64_MAX, INT64_MIN, -INT64_MAX},
	        {INT64_MIN, INT64_MIN, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert(text_between(cases[i].from, cases[i].until) == cases[i].between);
	}
	return 0;
}

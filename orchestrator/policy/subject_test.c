/* Groups and labels as lists: one value a key, none that policies could not name, and no room is no change. */
#undef NDEBUG
#include "orchestrator/policy/subject.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void test_groups(void)
{
	char list[32] = "";

	assert(subject_add(list, sizeof(list), SUBJECT_GROUP, "production") == 0);
	assert(subject_add(list, sizeof(list), SUBJECT_GROUP, "eu") == 0);
	assert(subject_add(list, sizeof(list), SUBJECT_GROUP, "production") == 0);
	assert(!strcmp(list, "eu,production"));
	assert(subject_remove(list, "e") == SUBJECT_E_ABSENT);
	assert(subject_remove(list, "") == SUBJECT_E_ABSENT);
	assert(subject_remove(list, "production") == 0 && !strcmp(list, "eu"));
	assert(subject_remove(list, "eu") == 0 && !strcmp(list, ""));
	assert(subject_remove(list, "eu") == SUBJECT_E_ABSENT);
}

/* The first, one in the middle, the last: each takes its comma with it. */
static void test_labels(void)
{
	char list[40] = "";

	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "role=appliance") == 0);
	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "site=a") == 0);
	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "x=1") == 0);
	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "site=b") == 0);
	assert(!strcmp(list, "role=appliance,x=1,site=b"));
	assert(subject_remove(list, "x") == 0 && !strcmp(list, "role=appliance,site=b"));
	assert(subject_remove(list, "role") == 0 && !strcmp(list, "site=b"));
}

static void test_refused(void)
{
	static const char *const not_labels[] = {"a", "a=", "=b", "a=b=c", "a=b,c=d", "a=b c", ""};
	char list[8] = "a=1";

	for (size_t i = 0; i < sizeof(not_labels) / sizeof(not_labels[0]); i++) {
		assert(subject_add(list, sizeof(list), SUBJECT_LABEL, not_labels[i]) ==
		        SUBJECT_E_INVALID);
	}
	assert(subject_add(list, sizeof(list), SUBJECT_GROUP, "a,b") == SUBJECT_E_INVALID);
	assert(subject_add(list, sizeof(list), SUBJECT_GROUP, "*") == SUBJECT_E_INVALID);
	/* Seven bytes and the end. */
	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "bb=1") == SUBJECT_E_FULL);
	assert(!strcmp(list, "a=1"));
	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "b=1") == 0);
	assert(subject_add(list, sizeof(list), SUBJECT_LABEL, "b=2") == 0 &&
	        !strcmp(list, "a=1,b=2"));
}

int main(void)
{
	test_groups();
	test_labels();
	test_refused();
	return 0;
}

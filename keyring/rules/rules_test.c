/* Rule files: what each line means, and which are invalid. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyring/rules/rules.h"

/* So many lines, and not one more. */
static void check_rule_max(const char *line, unsigned int n)
{
	size_t len = strlen(line);
	char *text = malloc((n + 1) * len);
	struct rules rules;
	const char *why;

	assert(text != NULL);
	for (unsigned int i = 0; i <= n; i++) {
		memcpy(text + i * len, line, len);
	}
	assert(rules_parse(text, n * len, &rules, &why) == 0);
	assert(rules_parse(text, (n + 1) * len, &rules, &why) == n + 1);
	free(text);
}

/* Every invalid line is named; nothing is allowed that is not written. */
static void test_rules_file(void)
{
	static const char *const bad[] = {"machine 00\n", "machine\n", "service Ds\n",
	        "service a-name-that-is-much-too-long-for-one\n", "action fly\n", "action\n",
	        "machine_made\n", "machine_made Ds\n", "order_life\n", "order_life x\n",
	        "order_life 1 2\n", "hello 1\n", "order_life 99999999999999999999\n",
	        "machine 0000000000000000000000000000000G\n"};
	struct rules rules;
	const char *why;
	char text[160];

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(rules_parse(bad[i], strlen(bad[i]), &rules, &why) == 1);
		(void)snprintf(text, sizeof(text), "service *\n\n%s", bad[i]);
		assert(rules_parse(text, strlen(text), &rules, &why) == 3);
	}
	assert(rules_parse("order_life 9\naction update\norder_life 9\n", 39, &rules, &why) == 3);
	assert(strstr(why, "twice") != NULL);
	assert(rules_parse("action update\norder_life 9\naction update\n", 40, &rules, &why) == 0);
	assert(rules_parse("service \0ds\n", 12, &rules, &why) == 1);
	assert(rules_parse("service ds\0x\n", 13, &rules, &why) == 1);
	check_rule_max("machine 00000000000000000000000000000000\n", RULES_MACHINES_MAX - 1);
	check_rule_max("service ds\n", RULES_SERVICES_MAX - 1);
	check_rule_max("machine_made ds\n", RULES_SERVICES_MAX - 1);
	assert(rules_parse("", 0, &rules, &why) == 0);
	assert(!rules.all_machines && !rules.all_services && rules.actions == 0 && !rules.all_made);
	assert(rules_parse(rules_default_text, strlen(rules_default_text), &rules, &why) == 0);
	assert(rules.all_machines && rules.all_services && rules.actions == 0xfe && rules.all_made);
}

/* What standing orders may do: asked for by name, within the limits, for services that are listed. */
static void test_standing(void)
{
	static const struct {
		const char *text, *refusal; /* a word of it; NULL: allowed */
	} files[] = {
	        {"machine *\nservice *\nmachine_made *\naction update\n", "`standing`"},
	        {"service *\nmachine_made *\naction standing\n", "machine"},
	        {"machine *\nmachine_made *\naction standing\n", "this service"},
	        {"machine *\nservice *\nmachine_made ds\naction standing\n", "machine_made"},
	        {"machine *\nservice *\nmachine_made ds tty\naction standing\n", NULL},
	        {"machine *\nservice *\nmachine_made *\naction standing\nstanding_life 599\n",
	                "standing_life"},
	        {"machine *\nservice *\nmachine_made *\naction standing\nstanding_every 1001\n",
	                "standing_every"},
	};
	struct {
		struct standing_manifest head;
		struct standing_service service[2];
	} standing = {.head = {.every_ms = 1000, .n_services = 2},
	        .service = {{.service = "ds"}, {.service = "tty"}}};
	struct rules rules;
	const char *why;

	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert(rules_parse(files[i].text, strlen(files[i].text), &rules, &why) == 0);
		why = rules_refuse_standing(&rules, &standing.head, 600);
		assert((why == NULL) == (files[i].refusal == NULL));
		assert(why == NULL || strstr(why, files[i].refusal) != NULL);
	}
	/* One that ends another has no pause. */
	standing.head.n_services = standing.head.every_ms = 0;
	assert(rules_refuse_standing(&rules, &standing.head, 600) == NULL);
	assert(rules_refuse_standing(&rules, &standing.head, 0) != NULL);
}

int main(void)
{
	test_rules_file();
	test_standing();
	return 0;
}

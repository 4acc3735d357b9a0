/*
 * Certificates for tests that run programs: good ones, and one for each thing that may be wrong with one. Prints the
 * directory that they are in, which is whoever's ran this.
 */
#include "host/tls/test/issue.h"

#include <libgen.h>
#include <stdio.h>

#define LONG_AGO (-30L * TEST_DAY)

static long tls_files_issue(
        const struct test_ca *ca, const char *file, const char *name, bool is_server, long to)
{
	const struct test_says says = {.name = name,
	        .use = is_server ? "serverAuth" : "clientAuth",
	        .key = "P-256",
	        .from = LONG_AGO,
	        .to = to};

	return test_issue(ca, file, &says);
}

int main(void)
{
	struct test_ca ca, other;
	long gone[3] = {0};
	char directory[160];

	test_start();
	ca = test_ca("ca", NULL, LONG_AGO, 30L * TEST_DAY);
	other = test_ca("other", NULL, LONG_AGO, 30L * TEST_DAY);
	tls_files_issue(&ca, "home", "URI:samsara:host/home", true, TEST_DAY);
	tls_files_issue(&ca, "lab", "URI:samsara:host/lab", true, TEST_DAY);
	tls_files_issue(&ca, "home-old", "URI:samsara:host/home", true, -TEST_DAY);
	tls_files_issue(&ca, "home-use", "URI:samsara:host/home", false, TEST_DAY);
	tls_files_issue(&other, "home-other", "URI:samsara:host/home", true, TEST_DAY);
	gone[0] = tls_files_issue(&ca, "home-gone", "URI:samsara:host/home", true, TEST_DAY);
	tls_files_issue(&ca, "alice", "URI:samsara:user/alice", false, TEST_DAY);
	tls_files_issue(&ca, "alice-old", "URI:samsara:user/alice", false, -TEST_DAY);
	tls_files_issue(&other, "alice-other", "URI:samsara:user/alice", false, TEST_DAY);
	gone[1] = tls_files_issue(&ca, "alice-gone", "URI:samsara:user/alice", false, TEST_DAY);
	test_list("ca", &ca, &ca, gone, LONG_AGO, TEST_DAY);
	test_list("ca-none", &ca, &ca, NULL, LONG_AGO, TEST_DAY);
	test_list("ca-old", &ca, &ca, NULL, LONG_AGO, -TEST_DAY);
	test_list("other", &other, &other, NULL, LONG_AGO, TEST_DAY);
	test_ca_free(&ca);
	test_ca_free(&other);
	(void)snprintf(directory, sizeof(directory), "%s", test_path("ca", "ca"));
	puts(dirname(directory));
	return 0;
}

/*
 * The command line. An option that is given twice is an error: in a unit file that was edited in
 * two places, neither value is surely the one that was meant. Values are not judged here but
 * with the configuration that they override.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "orchestrator/lud/priv.h"
#include "version.h"

static void lud_usage(FILE *file)
{
	fputs("usage: lud [--config FILE] [--state-dir DIR] [--log-level LEVEL]\n"
	      "           [--check-config] [--print-config] [--recover] [--check-record[=FILE]]\n"
	      "           [--backup FILE] [--restore FILE] [--version] [--help]\n"
	      "The orchestrator of Samsara machines; see lud(8).\n",
	        file);
}

/*
 * -1 to go on, else the exit code. What is wrong goes to stderr; help and version to stdout, for
 * pipes.
 */
int lud_options_parse(int argc, char **argv, struct lud_options *ret)
{
	static const struct option options[] = {
	        {"config", required_argument, NULL, 'c'},
	        {"state-dir", required_argument, NULL, 's'},
	        {"log-level", required_argument, NULL, 'l'},
	        {"check-config", no_argument, NULL, 'k'},
	        {"print-config", no_argument, NULL, 'p'},
	        {"recover", no_argument, NULL, 'r'},
	        {"check-record", optional_argument, NULL, 'd'},
	        {"backup", required_argument, NULL, 'b'},
	        {"restore", required_argument, NULL, 'o'},
	        {"version", no_argument, NULL, 'v'},
	        {"help", no_argument, NULL, 'h'},
	        {0},
	};
	bool given[UCHAR_MAX + 1] = {false};
	int option, which = 0;

	while ((option = getopt_long(argc, argv, "", options, &which)) >= 0) {
		if (option != '?' && given[option]) {
			fprintf(stderr, "lud: --%s is there twice\n", options[which].name);
			return LUD_EXIT_USAGE;
		}
		given[option] = true;
		switch (option) {
		case 'c':
			ret->config = optarg;
			break;
		case 's':
			ret->state_dir = optarg;
			break;
		case 'l':
			ret->log_level = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'p':
			ret->print = true;
			break;
		case 'r':
			ret->recover = true;
			break;
		case 'd':
			ret->record = optarg ? optarg : "";
			break;
		case 'b':
			ret->backup = optarg;
			break;
		case 'o':
			ret->restore = optarg;
			break;
		case 'v':
			puts("lud " SAMSARA_VERSION " (" SAMSARA_BUILD ")");
			return LUD_EXIT_OK;
		case 'h':
			lud_usage(stdout);
			return LUD_EXIT_OK;
		default:
			lud_usage(stderr);
			return LUD_EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "lud: unexpected argument %s\n", argv[optind]);
		lud_usage(stderr);
		return LUD_EXIT_USAGE;
	}
	return -1;
}

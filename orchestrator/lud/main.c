/*
 * lud: makes, signs and stages randomized binaries and drives updates of machines. It
 * holds no state of its own: what it must not forget is in the record, what is true is
 * in the machines. Ending it, by whatever means, stops no machine.
 */
#include <malloc.h>

#include "host/base/log.h"
#include "orchestrator/lud/priv.h"

/*
 * Kits, payloads and boot images come and go, and go back to the system at once: libc would keep the
 * first one's size as the new limit, put the next ones on the heap, and small things between them.
 */
#define LUD_MMAP_BYTES (128 << 10)

/*
 * The log is up before the configuration is read, at its default level, since what is wrong with
 * the configuration is logged too. --check-config and --print-config touch no file but the
 * configuration.
 */
int main(int argc, char **argv)
{
	struct lud_options options = {0};
	struct failure failure = {0};
	struct lud lud = {.lock = -1};
	int code = lud_options_parse(argc, argv, &options);

	if (code >= 0) {
		return code;
	}
	(void)mallopt(M_MMAP_THRESHOLD, LUD_MMAP_BYTES);
	log_init(LOG_LEVEL_INFO);
	lud.options = &options;
	if (lud_configure(&lud.config, &options, &failure) < 0 ||
	        lud_set_log_level(&lud.config, &failure) < 0) {
		lud_say(&failure);
		code = LUD_EXIT_CONFIG;
	} else if (options.print || options.check) {
		if (options.print) {
			config_print(&lud.config, stdout);
		}
		code = LUD_EXIT_OK;
	} else {
		code = options.recover   ? lud_recover(&lud)
		       : options.record  ? lud_check_record(&lud)
		       : options.backup  ? lud_backup(&lud)
		       : options.restore ? lud_restore(&lud)
		                         : lud_run(&lud);
	}
	lud_close(&lud);
	return code;
}

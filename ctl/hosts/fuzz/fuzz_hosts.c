/* Any text as a hosts file; one that is taken is written, and reads as the same again. */
#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/hosts/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(hosts_fini) struct hosts hosts = {0};
	_cleanup_(hosts_fini) struct hosts again = {0};
	_cleanup_(ctl_freep) char *text = NULL;
	_cleanup_(ctl_freep) char *second = NULL;

	ctl_catch(true);
	if (hosts_parse(&hosts, "file", data, size) != CTL_OK) {
		/* Nothing is refused without a word. */
		if (!*ctl_caught()) {
			abort();
		}
		return 0;
	}
	text = hosts_print(&hosts);
	if (hosts_parse(&again, "file", (const uint8_t *)text, strlen(text)) != CTL_OK) {
		abort();
	}
	second = hosts_print(&again);
	if (strcmp(text, second) != 0 || again.n_entries != hosts.n_entries) {
		abort();
	}
	return 0;
}

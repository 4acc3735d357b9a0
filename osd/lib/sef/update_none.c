/* For services that are never started as a successor: they carry no transfer engine. */
#include "osd/lib/sef/priv.h"

err_t sef_check_failed(const char *element, const char *format, ...)
{
	return E_CHECK;
}

void sef_update_run(const struct start_info *info)
{
	sef_panic("%s cannot be a successor", info->name);
}

/*
 * Linking a kit that was read whole. The objects are written from memory into a directory of
 * our own, so that the linker gets what was judged and not what lies in the kit by now; the
 * directory is removed again.
 */
#include "forge/kit/kit.h"
#include "forge/link/link.h"

/* A directory for each link: several may run at once. It is removed on every way out. */
int kit_link(const struct kit *kit, const struct layout *layout, struct elf_file *ret_linked)
{
	MEM_FREE char *work = NULL;
	MEM_FREE char **paths = mem_zalloc(kit->n_objects, sizeof(*paths));
	struct link_job job = {.objects = (const char *const *)paths,
	        .n_objects = kit->n_objects,
	        .layout = layout};
	size_t i;
	int r;

	r = mem_temp_dir(&work);
	if (r < 0) {
		return r;
	}
	/* The linker gets what was judged, not what lies in the kit by now. */
	for (i = 0; i < kit->n_objects && r == 0; i++) {
		r = kit_write_object(kit, i, work, &paths[i]);
	}
	job.work_dir = work;
	if (r == 0) {
		r = link_run(&job, ret_linked);
	}
	for (i = 0; i < kit->n_objects; i++) {
		free(paths[i]);
	}
	mem_remove_dir(work);
	return r;
}

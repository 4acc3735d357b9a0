#include "forge/kit.h"
#include "forge/link.h"

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
	for (i = 0; i < kit->n_objects; i++) {
		paths[i] = mem_printf("%s/%s", kit->path, kit->objects[i]);
	}
	job.work_dir = work;
	r = link_run(&job, ret_linked);
	for (i = 0; i < kit->n_objects; i++) {
		free(paths[i]);
	}
	mem_remove_dir(work);
	return r;
}

/*
 * The order of work, and the numbers of the pieces: collect, note the global names, mark what is
 * alive, number it. Numbers rise by class, then by input, then by section, so they are a
 * function of the objects and their order alone.
 */
#include "forge/base/report.h"
#include "forge/piece/priv.h"

struct piece_set *piece_set_free(struct piece_set *set)
{
	size_t i;

	if (!set) {
		return NULL;
	}
	for (i = 0; i < set->n; i++) {
		free(set->pieces[i].bytes);
		free(set->pieces[i].relocs);
	}
	for (i = 0; set->of_section && i < set->request.n_inputs; i++) {
		free(set->of_section[i]);
	}
	free(set->of_section);
	free(set->pieces);
	free(set->order);
	names_fini(&set->globals);
	free(set);
	return NULL;
}

/* Give every living piece its number. */
static void piece_number(struct piece_set *set)
{
	uint32_t next = 0;
	size_t i;
	int class;

	set->order = mem_zalloc(set->n, sizeof(*set->order));
	for (class = 0; class < _FLAT_CLASS_N; class ++) {
		for (i = 0; i < set->n; i++) {
			struct piece *p = &set->pieces[i];

			if (p->live && p->class == (enum flat_class) class) {
				p->number = next;
				set->order[next++] = (uint32_t)i;
				set->n_live[class]++;
			}
		}
	}
}

int piece_set_new(const struct piece_request *request, struct piece_set **ret_set)
{
	MEM_CLEANUP(piece_set_freep) struct piece_set *set = mem_zalloc(1, sizeof(*set));
	int r;

	set->request = *request;
	r = piece_collect(set);
	if (r == 0) {
		r = piece_note_globals(set);
	}
	if (r == 0) {
		r = piece_mark(set);
	}
	if (r < 0) {
		return r;
	}
	piece_number(set);
	*ret_set = set;
	set = NULL;
	return 0;
}

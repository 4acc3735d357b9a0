/* Something to be moved: addresses of all that a kernel's linker script places (kernel.ld). */
extern const char kernel_direct[], kernel_stacks[], kernel_load_text[], kernel_pages[];

const char *const seed_views[] = {kernel_direct, kernel_stacks + 4096, kernel_load_text};
static const char *seed_last = kernel_pages;

const char *seed_second(unsigned n);
const char *seed_second(unsigned n)
{
	return n < 3 ? seed_views[n] : seed_last;
}

int boot_pvh_entry(unsigned n);
int boot_pvh_entry(unsigned n)
{
	seed_last = seed_second(n);
	return *seed_last;
}

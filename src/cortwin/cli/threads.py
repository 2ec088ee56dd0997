"""How many threads linear algebra may use."""

# Linear algebra in several threads rounds differently from machine to machine, and trials run in processes anyway.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

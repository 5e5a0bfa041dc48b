"""What runs inside bubblewrap: the zygote and the cells that it forks. Imports no grpc."""

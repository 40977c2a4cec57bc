"""What results reads: the records of a data folder as rows, and SQL over them."""

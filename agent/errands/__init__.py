"""What commands have done that takes a while or needs a place: programs, pictures, the log, purging."""

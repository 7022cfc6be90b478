"""Multi-Modal Multi-Action Video Recognition (ICCV 2021): the library behind the stages."""
